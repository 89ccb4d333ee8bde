"""Outputs of frozen conditioners on disk, such as the features of texts."""
