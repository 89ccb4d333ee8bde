"""How a picture was cut: the size conditioning of Stable Diffusion XL."""
