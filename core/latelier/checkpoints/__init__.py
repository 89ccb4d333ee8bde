"""Model files: weights as safetensors, and nothing that could run."""
