"""Training: stage one, stage two, and the loop that they share."""
