"""Noise processes, one a file: variance preserving, EDM, rectified flow."""
