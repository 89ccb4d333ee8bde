"""Names and shapes of weights, to and from those of diffusers."""
