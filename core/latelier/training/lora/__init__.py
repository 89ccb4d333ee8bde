"""Training of LoRAs (arXiv:2106.09685)."""
