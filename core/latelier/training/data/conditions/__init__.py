"""Outputs of frozen conditioners that are stored for each view, such as masked latents."""
