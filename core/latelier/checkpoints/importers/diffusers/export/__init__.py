"""Writing components as diffusers loads them."""
