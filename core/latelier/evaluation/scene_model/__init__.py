"""Measures of a model of emoji scenes: each condition by what its pictures show."""
