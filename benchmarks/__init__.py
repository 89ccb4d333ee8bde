"""Benchmarks: `python -m benchmarks` measures speed and memory; the scripts measure quality."""
