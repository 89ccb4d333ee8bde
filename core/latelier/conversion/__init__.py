"""Models in and out: import, export, and building from a preset."""
