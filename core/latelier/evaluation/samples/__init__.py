"""The samples of an evaluation, by their index."""
