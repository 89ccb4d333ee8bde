"""The vector-quantised autoencoder of Rombach et al. 2022 (arXiv:2112.10752, section 3.1).

It is the VQGAN of Esser et al. 2021 (arXiv:2012.09841) with the quantiser as the first layer of the
decoder: diffusion works on latents before quantisation.
"""

from torch import Tensor

from latelier.first_stages.autoencoder import Autoencoder
from latelier.first_stages.configs import AutoencoderVQConfig
from latelier.first_stages.quantizer import Quantization, VectorQuantizer
from latelier.first_stages.scaling import denormalize, normalize
from latelier.first_stages.shapes import check_latents


class AutoencoderVQ(Autoencoder[AutoencoderVQConfig]):
    """Encodes images to latents before quantisation; `decode` quantises them first."""

    def __init__(self, config: AutoencoderVQConfig) -> None:
        super().__init__(config, moments=1)
        self.quantize = VectorQuantizer(config)

    def decode_unquantized(self, latents: Tensor) -> Tensor:
        """Return the output of `decode` without its quantisation.

        Raises:
            InvalidInputError: the latents have a wrong shape.
        """
        check_latents(latents, self.config.embed_dim)
        return self.decoder(self.post_quant_conv(denormalize(latents, self.config)))

    def quantize_latents(self, latents: Tensor) -> Quantization:
        """Return the codes z that latents (B, C, h, w) are decoded from, and the loss.

        Raises:
            InvalidInputError: the latents have a wrong shape.
        """
        check_latents(latents, self.config.embed_dim)
        return self.quantize(denormalize(latents, self.config))

    def _from_moments(self, moments: Tensor) -> Tensor:
        return normalize(self.quant_conv(moments), self.config)

    def _to_decoder_input(self, latents: Tensor) -> Tensor:
        return self.post_quant_conv(self.quantize_latents(latents).latents)
