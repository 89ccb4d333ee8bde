"""Accelerations: faster, approximate estimates of x0."""
