"""Data sets: procedural scenes, image folders and shards."""
