"""Samples of tar shards at a URL, one after another."""
