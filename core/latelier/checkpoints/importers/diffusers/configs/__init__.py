"""Configurations, to and from those of diffusers."""
