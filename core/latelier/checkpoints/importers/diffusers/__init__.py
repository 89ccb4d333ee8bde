"""Folders of Hugging Face diffusers, in both directions."""
