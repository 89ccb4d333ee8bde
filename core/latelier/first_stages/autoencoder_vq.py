"""The vector-quantised autoencoder of Rombach et al. 2022 (arXiv:2112.10752, section 3.1).

It is the VQGAN of Esser et al. 2021 (arXiv:2012.09841) with the quantiser taken into the decoder:
diffusion works on latents before quantisation.
"""

from torch import Tensor

from latelier.first_stages.autoencoder import Autoencoder
from latelier.first_stages.configs import AutoencoderVQConfig
from latelier.first_stages.quantizer import Quantized, VectorQuantizer
from latelier.first_stages.shapes import check_latents


class AutoencoderVQ(Autoencoder):
    """Encodes images to latents that are not yet quantised; quantises, then decodes them."""

    def __init__(self, config: AutoencoderVQConfig) -> None:
        super().__init__(config, moments=1)
        self._config = config
        self.quantize = VectorQuantizer(config)

    @property
    def config(self) -> AutoencoderVQConfig:
        """The configuration that it was built with."""
        return self._config

    def decode(self, latents: Tensor, *, force_not_quantize: bool = False) -> Tensor:
        """Return the images (B, 3, H, W), about in [-1, 1], of latents (B, C, H / f, W / f).

        force_not_quantize: decode the latents as they are.

        Raises:
            InvalidInputError: the latents do not have its number of channels.
        """
        if not force_not_quantize:
            return super().decode(latents)
        check_latents(latents, self.config.embed_dim)
        images: Tensor = self.decoder(self.post_quant_conv(latents / self.config.scale_factor))
        return images

    def quantized(self, latents: Tensor) -> Quantized:
        """Return the codes, unscaled, that latents (B, C, h, w) are decoded from, and the loss.

        Raises:
            InvalidInputError: the latents do not have its number of channels.
        """
        check_latents(latents, self.config.embed_dim)
        result: Quantized = self.quantize(latents / self.config.scale_factor)
        return result

    def _latents(self, features: Tensor) -> Tensor:
        latents: Tensor = self.quant_conv(features)
        return latents * self.config.scale_factor

    def _features(self, latents: Tensor) -> Tensor:
        features: Tensor = self.post_quant_conv(self.quantized(latents).latents)
        return features
