"""The optimizer, its schedule, and averages of the weights."""
