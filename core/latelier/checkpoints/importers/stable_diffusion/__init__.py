"""Single files of Stable Diffusion 1 and 2, which carry no configuration."""
