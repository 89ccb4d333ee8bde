"""Runs of evaluations: chunks of pictures are made, recorded, and measured at the end."""
