"""Checks of data sets before a training: what is in them, and what is wrong with them."""
