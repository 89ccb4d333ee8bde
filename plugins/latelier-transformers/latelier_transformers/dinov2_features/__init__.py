"""DINOv2 as a feature network."""
