"""A detector of objects in emoji scenes: its training data, its training and its accuracy."""
