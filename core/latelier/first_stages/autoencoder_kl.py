"""The KL-regularised autoencoder of Rombach et al. 2022 (arXiv:2112.10752, section 3.1)."""

import torch
from torch import Tensor

from latelier.first_stages.autoencoder import Autoencoder
from latelier.first_stages.configs import AutoencoderKLConfig


class AutoencoderKL(Autoencoder):
    """Encodes images to the mean of a Gaussian over latents, and decodes latents."""

    def __init__(self, config: AutoencoderKLConfig) -> None:
        super().__init__(config, moments=2)
        self._config = config

    @property
    def config(self) -> AutoencoderKLConfig:
        """The configuration that it was built with."""
        return self._config

    def sample(self, images: Tensor, noise: Tensor) -> Tensor:
        """Return latents drawn from the posterior with unit `noise` of their shape.

        Raises:
            InvalidInputError: the images have a shape that it cannot take.
        """
        mean, logvar = self.posterior(images)
        return (mean + torch.exp(0.5 * logvar) * noise) * self.config.scale_factor

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance, each (B, C, H / f, W / f) and unscaled.

        Raises:
            InvalidInputError: the images have a shape that it cannot take.
        """
        self._check_images(images)
        mean, logvar = self.quant_conv(self.encoder(images)).chunk(2, dim=1)
        return mean, logvar.clamp(-30.0, 20.0)

    def _latents(self, features: Tensor) -> Tensor:
        mean: Tensor = self.quant_conv(features).chunk(2, dim=1)[0]  # the posterior's mode
        return mean * self.config.scale_factor

    def _features(self, latents: Tensor) -> Tensor:
        features: Tensor = self.post_quant_conv(latents / self.config.scale_factor)
        return features
