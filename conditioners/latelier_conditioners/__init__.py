"""The built-in conditioners, one folder each: inputs.py without torch, conditioner.py with it."""
