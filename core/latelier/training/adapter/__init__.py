"""Training of adapters (arXiv:2308.06721)."""
