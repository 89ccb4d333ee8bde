"""Compare samplers: the error of each by the number of calls of the model."""
