"""What a training will cost, measured by a few steps that nothing is kept of."""
