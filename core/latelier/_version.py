"""The version of latelier."""

__version__ = "0.1.0"
