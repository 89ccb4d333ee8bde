"""Conditioners: text and class labels."""
