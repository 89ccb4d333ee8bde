"""First stages: images to latents and back."""
