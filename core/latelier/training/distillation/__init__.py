"""Distillation of many guided steps into few (arXiv:2202.00512)."""
