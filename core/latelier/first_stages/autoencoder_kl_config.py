"""Configuration of the KL-regularised autoencoder."""

from latelier.first_stages.autoencoder_config import AutoencoderConfig


class AutoencoderKLConfig(AutoencoderConfig):
    """Shape of an `AutoencoderKL`. The defaults are those of the published kl-f8 model."""
