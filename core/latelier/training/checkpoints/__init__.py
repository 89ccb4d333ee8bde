"""Checkpoints: their format, which are kept, and writing them from several processes."""
