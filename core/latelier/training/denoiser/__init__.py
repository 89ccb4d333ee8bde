"""Stage two: training of denoisers (arXiv:2112.10752, section 3.2)."""
