"""CLIP as a feature network, and the CLIP score."""
