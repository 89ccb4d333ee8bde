"""Stage one: training of autoencoders (arXiv:2112.10752, section 3.1)."""
