"""Reading adapters of the layout that IP-Adapter is published in (arXiv:2308.06721)."""
