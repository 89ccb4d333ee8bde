"""The results that the paper published, as data (Rombach et al. 2022, arXiv:2112.10752v2)."""
