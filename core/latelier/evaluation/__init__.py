"""Measures of models: reconstruction, prompt following, and the error of samplers."""
