"""ControlNet: a hint is read by a copy of a UNet's encoder (Zhang et al., arXiv:2302.05543)."""
