"""Measures of pictures, and the networks behind them."""
