"""The KL-regularised autoencoder of Rombach et al. 2022 (arXiv:2112.10752, section 3.1)."""

import torch
from torch import Tensor, nn

from latelier.first_stages.autoencoder import Autoencoder
from latelier.first_stages.configs import AutoencoderKLConfig
from latelier.first_stages.scaling import denormalize, normalize


class AutoencoderKL(Autoencoder[AutoencoderKLConfig]):
    """Encodes images as Gaussians over latents, of which `encode` returns the mean."""

    def __init__(self, config: AutoencoderKLConfig) -> None:
        super().__init__(config, moments=2)
        if not config.use_quant_conv:
            self.quant_conv = nn.Identity()
        if not config.use_post_quant_conv:
            self.post_quant_conv = nn.Identity()

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance, each (B, C, H / f, W / f), not normalized.

        Raises:
            InvalidInputError: the images have a wrong shape.
        """
        self._check_images(images)
        mean, logvar = self.quant_conv(self.encoder(images)).chunk(2, dim=1)
        return mean, logvar.clamp(-30.0, 20.0)

    def sample(self, images: Tensor, noise: Tensor) -> Tensor:
        """Return latents drawn from the posterior; `noise` (B, C, H / f, W / f) is standard normal.

        Raises:
            InvalidInputError: the images have a wrong shape.
        """
        mean, logvar = self.posterior(images)
        return normalize(mean + torch.exp(0.5 * logvar) * noise, self.config)

    def _from_moments(self, moments: Tensor) -> Tensor:
        mean, _ = self.quant_conv(moments).chunk(2, dim=1)
        return normalize(mean, self.config)

    def _to_decoder_input(self, latents: Tensor) -> Tensor:
        return self.post_quant_conv(denormalize(latents, self.config))
