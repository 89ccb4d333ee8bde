"""Caches of trainings by many workers."""
