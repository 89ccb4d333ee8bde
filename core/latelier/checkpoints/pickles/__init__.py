"""Reading PyTorch checkpoints, which are pickles, without running them."""
