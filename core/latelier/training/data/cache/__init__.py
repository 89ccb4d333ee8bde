"""Latents on disk: written once by `latelier data cache`, read by every training on them."""
