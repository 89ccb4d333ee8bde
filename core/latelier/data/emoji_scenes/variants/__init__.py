"""Artworks beyond the atlas: restyled drawings, and shapes, letters and digits drawn by code."""
