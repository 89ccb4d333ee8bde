"""Guidance rules, one a file: `denoise` out of the estimates of x0 under several conditions."""
