"""Comparing samplers: how near each comes to the truth, for how many calls of the model."""
