"""Building blocks that denoisers and conditioners share."""
