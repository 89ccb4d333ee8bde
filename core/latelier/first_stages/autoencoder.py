"""Base of the KL-regularised and the vector-quantised autoencoder."""

from abc import ABC, abstractmethod
from typing import TypeVar

from torch import Tensor, nn

from latelier.contracts.errors import CompatibilityError, InvalidInputError
from latelier.first_stages.conditional_decoder import ConditionalDecoder, run_in_tiles
from latelier.first_stages.configs import AutoencoderConfig
from latelier.first_stages.encoder_decoder import Decoder, Encoder
from latelier.first_stages.shapes import check_images, check_latents
from latelier.first_stages.tiling.chain import split_decoder, split_encoder
from latelier.first_stages.tiling.tiled import run_tiled
from latelier.first_stages.tiling.tiling import TilingMode
from latelier.nn.module import ConfiguredModule
from latelier.nn.packed import Conv2d

C = TypeVar("C", bound=AutoencoderConfig)


class Autoencoder(ConfiguredModule[C], ABC):
    """An encoder, a decoder, and a 1x1 convolution between each of them and the latents.

    Keys and numbers are those of the published checkpoints (encoder.*, decoder.*, quant_conv,
    post_quant_conv). Latents are shifted and scaled as `scaling.normalize` says.
    """

    def __init__(self, config: C, moments: int) -> None:
        """Build the layers; each latent value has 1 moment (itself) or 2 (mean, log-variance)."""
        super().__init__(config)
        self.encoder = Encoder(config, moments * config.z_channels)
        self.decoder = Decoder(config)
        self.quant_conv: nn.Module = Conv2d(
            moments * config.z_channels, moments * config.embed_dim, 1
        )
        self.post_quant_conv: nn.Module = Conv2d(config.embed_dim, config.z_channels, 1)
        self.conditional_decoder: ConditionalDecoder | None = (
            None
            if config.conditional_decoder is None
            else ConditionalDecoder(config.conditional_decoder)
        )

    @abstractmethod
    def _from_moments(self, moments: Tensor) -> Tensor:
        """Return the normalized latents (B, C, h, w) of the encoder's output."""

    @abstractmethod
    def _to_decoder_input(self, latents: Tensor) -> Tensor:
        """Return the decoder's input (B, z_channels, h, w) of normalized latents."""

    def encode(self, images: Tensor) -> Tensor:
        """Return the latents (B, C, H / f, W / f) of images (B, 3, H, W) in [-1, 1].

        Raises:
            InvalidInputError: the images have a wrong shape.
        """
        self._check_images(images)
        return self._from_moments(self.encoder(images))

    def decode(self, latents: Tensor) -> Tensor:
        """Return the images (B, 3, H, W), about in [-1, 1], of latents (B, C, H / f, W / f).

        Raises:
            InvalidInputError: the latents have a wrong shape.
        """
        check_latents(latents, self.config.embed_dim)
        return self.decoder(self._to_decoder_input(latents))

    def add_known(self, images: Tensor, known: Tensor) -> Tensor:
        """Return decoded images (B, 3, H, W) with what inputs know of them.

        Args:
            images: about in [-1, 1].
            known: (B, 4 K, H, W), see `ConditionalFirstStage.add_known`.

        Raises:
            CompatibilityError: there is no conditional decoder.
            InvalidInputError: the pixels have a wrong shape.
        """
        return self._check_known(images, known)(images, known)

    def add_known_tiled(self, images: Tensor, known: Tensor, *, tile: int) -> Tensor:
        """Return the output of `add_known`, in tiles; see `latelier.first_stages.tiling.tiling`."""
        return run_in_tiles(self._check_known(images, known), images, known, tile)

    def encode_tiled(self, images: Tensor, *, tile: int, mode: TilingMode) -> Tensor:
        """Return the output of `encode`, in tiles; see `latelier.first_stages.tiling.tiling`."""
        self._check_images(images)
        return self._from_moments(run_tiled(split_encoder(self.encoder), images, tile, mode))

    def decode_tiled(self, latents: Tensor, *, tile: int, mode: TilingMode) -> Tensor:
        """Return the output of `decode`, in tiles; see `latelier.first_stages.tiling.tiling`."""
        check_latents(latents, self.config.embed_dim)
        z = self._to_decoder_input(latents)
        return run_tiled(split_decoder(self.decoder), z, tile, mode)

    def _check_known(self, images: Tensor, known: Tensor) -> ConditionalDecoder:
        """Return the conditional decoder, after checking what it is given."""
        if self.conditional_decoder is None:
            raise CompatibilityError("this first stage has no conditional decoder")
        batch, _, height, width = images.shape
        expected = (batch, 4 * len(self.config.known_inputs), height, width)
        if known.shape != expected:
            raise InvalidInputError(
                f"expected known pixels of shape {expected}, got {tuple(known.shape)}"
            )
        return self.conditional_decoder

    def _check_images(self, images: Tensor) -> None:
        check_images(images, self.config.in_channels, self.config.downsampling)
