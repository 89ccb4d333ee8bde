"""Training of conditional decoders (arXiv:2306.04632)."""
