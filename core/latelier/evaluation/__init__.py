"""Measures of models and pictures: by protocols, of built-in scenes, and of samplers."""
