"""What the KL-regularised and the vector-quantised autoencoder have in common."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from latelier.first_stages.configs import AutoencoderConfig
from latelier.first_stages.encoder_decoder import Decoder, Encoder
from latelier.first_stages.shapes import check_images, check_latents
from latelier.first_stages.tiling.chain import decoder_chain, encoder_chain
from latelier.first_stages.tiling.tiled import run_tiled


class Autoencoder(nn.Module, ABC):
    """An encoder, a decoder, and a 1x1 convolution between each of them and the latents.

    Keys and numerics are those of the published checkpoints (encoder.*, decoder.*, quant_conv,
    post_quant_conv). Latents are multiplied by `config.scale_factor` on the way out and divided
    by it on the way in.
    """

    def __init__(self, config: AutoencoderConfig, moments: int) -> None:
        """Build it; `moments` numbers describe one latent value (2: mean and log-variance)."""
        super().__init__()
        self.encoder = Encoder(config, moments * config.z_channels)
        self.decoder = Decoder(config)
        self.quant_conv = nn.Conv2d(moments * config.z_channels, moments * config.embed_dim, 1)
        self.post_quant_conv = nn.Conv2d(config.embed_dim, config.z_channels, 1)

    @property
    @abstractmethod
    def config(self) -> AutoencoderConfig:
        """The configuration that it was built with."""

    @abstractmethod
    def _latents(self, features: Tensor) -> Tensor:
        """Return the scaled latents of the encoder's features."""

    @abstractmethod
    def _features(self, latents: Tensor) -> Tensor:
        """Return what the decoder is given for scaled latents."""

    def encode(self, images: Tensor) -> Tensor:
        """Return the latents (B, C, H / f, W / f) of images (B, 3, H, W) in [-1, 1].

        Raises:
            InvalidInputError: the images have a shape that it cannot take.
        """
        self._check_images(images)
        return self._latents(self.encoder(images))

    def decode(self, latents: Tensor) -> Tensor:
        """Return the images (B, 3, H, W), about in [-1, 1], of latents (B, C, H / f, W / f).

        Raises:
            InvalidInputError: the latents do not have its number of channels.
        """
        check_latents(latents, self.config.embed_dim)
        images: Tensor = self.decoder(self._features(latents))
        return images

    def encode_tiled(self, images: Tensor, *, tile: int, exact: bool) -> Tensor:
        """Return what `encode` returns, in tiles; see `latelier.first_stages.tiling.tiling`."""
        self._check_images(images)
        return self._latents(run_tiled(encoder_chain(self.encoder), images, tile, exact=exact))

    def decode_tiled(self, latents: Tensor, *, tile: int, exact: bool) -> Tensor:
        """Return what `decode` returns, in tiles; see `latelier.first_stages.tiling.tiling`."""
        check_latents(latents, self.config.embed_dim)
        features = self._features(latents)
        return run_tiled(decoder_chain(self.decoder), features, tile, exact=exact)

    def _check_images(self, images: Tensor) -> None:
        check_images(images, self.config.in_channels, self.config.downsampling)
