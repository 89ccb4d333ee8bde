"""Samplers and schedules, one a file. A sampler knows `denoise(x, sigma) -> x0` and the sigmas."""
