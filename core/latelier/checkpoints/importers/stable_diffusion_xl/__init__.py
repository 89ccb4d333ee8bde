"""Single files of Stable Diffusion XL, which carry no configuration."""
