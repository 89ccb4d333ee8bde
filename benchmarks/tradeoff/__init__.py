"""The trade-off of arXiv:2112.10752, Figures 6 and 7 and Table 8, on built-in scenes."""
