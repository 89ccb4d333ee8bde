"""Finished pictures on disk."""
