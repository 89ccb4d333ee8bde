"""Training on the predictions of a denoiser: what denoisers, adapters and LoRAs share."""
