"""The built-in data set, and contact sheets."""
