"""Evaluations by many workers."""
