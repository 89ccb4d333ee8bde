"""Reading checkpoints of torch, which are pickles, without running them."""
