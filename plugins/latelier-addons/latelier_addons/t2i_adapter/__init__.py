"""T2I-Adapter: a small network reads a hint (Mou et al., arXiv:2302.08453)."""
