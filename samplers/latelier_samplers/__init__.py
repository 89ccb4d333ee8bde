"""Samplers and schedules, one a file. They know `denoise(x, sigma) -> x0` and a grid of sigmas."""
