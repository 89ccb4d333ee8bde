"""Checkpoints of CompVis/latent-diffusion, and of what was built on it."""
