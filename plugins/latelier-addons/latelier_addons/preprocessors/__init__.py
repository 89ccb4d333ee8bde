"""Hints from pictures, by filters that need no weights."""
