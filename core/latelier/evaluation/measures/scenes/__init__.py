"""Measures of pictures of the built-in scenes, by what the scene detector sees in them."""
