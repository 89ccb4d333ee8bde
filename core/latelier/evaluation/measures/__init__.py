"""Measures of pictures, one file each."""
