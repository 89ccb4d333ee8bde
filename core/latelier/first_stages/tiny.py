"""The small distilled autoencoder for previews and fast decoding, in the layout of TAESD.

Keys are those of diffusers' AutoencoderTiny. It has no attention, and norms in taef2 alone.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from latelier.first_stages.configs import TinyAutoencoderConfig
from latelier.first_stages.layers import Layers, NormedTinyBlock, TinyBlock
from latelier.first_stages.shapes import check_images, check_latents
from latelier.first_stages.tiling.chain import split_layers
from latelier.first_stages.tiling.tiled import run_tiled
from latelier.first_stages.tiling.tiling import TilingMode
from latelier.nn.module import ConfiguredModule
from latelier.nn.packed import Conv2d


class TinyAutoencoder(ConfiguredModule[TinyAutoencoderConfig]):
    """Encodes and decodes the latents of a larger autoencoder, from which it is distilled."""

    def __init__(self, config: TinyAutoencoderConfig) -> None:
        super().__init__(config)
        self.encoder = Layers(_encoder_layers(config))
        self.decoder = Layers(_decoder_layers(config))

    def encode(self, images: Tensor) -> Tensor:
        """Return the latents (B, C, H / f, W / f) of images (B, 3, H, W) in [-1, 1].

        Raises:
            InvalidInputError: the images have a wrong shape.
        """
        return self.encoder(self._to_unit_range(images)) * self.config.scale_factor

    def decode(self, latents: Tensor) -> Tensor:
        """Return the images (B, 3, H, W), about in [-1, 1], of latents (B, C, H / f, W / f).

        Raises:
            InvalidInputError: the latents have a wrong shape.
        """
        return 2 * self.decoder(self._clamp(latents)) - 1

    def encode_tiled(self, images: Tensor, *, tile: int, mode: TilingMode) -> Tensor:
        """Return the output of `encode`, in tiles; see `latelier.first_stages.tiling.tiling`."""
        steps = split_layers(self.encoder.layers)
        return run_tiled(steps, self._to_unit_range(images), tile, mode) * self.config.scale_factor

    def decode_tiled(self, latents: Tensor, *, tile: int, mode: TilingMode) -> Tensor:
        """Return the output of `decode`, in tiles; see `latelier.first_stages.tiling.tiling`."""
        steps = split_layers(self.decoder.layers)
        return 2 * run_tiled(steps, self._clamp(latents), tile, mode) - 1

    def scale_latents(self, latents: Tensor) -> Tensor:
        """Return latents as values in 0..1, to store them as an image; larger ones are clamped."""
        config = self.config
        return (latents / (2 * config.latent_magnitude) + config.latent_shift).clamp(0, 1)

    def unscale_latents(self, values: Tensor) -> Tensor:
        """Return the latents that `scale_latents` mapped to values in 0..1."""
        return (values - self.config.latent_shift) * (2 * self.config.latent_magnitude)

    def _to_unit_range(self, images: Tensor) -> Tensor:
        """Return images in 0..1, the range that the network was trained on."""
        check_images(images, self.config.in_channels, self.config.downsampling)
        return (images + 1) / 2

    def _clamp(self, latents: Tensor) -> Tensor:
        """Return unscaled latents, softly clamped to +-3 as in the published model."""
        check_latents(latents, self.config.z_channels)
        return 3 * torch.tanh(latents / (3 * self.config.scale_factor))


def _encoder_layers(config: TinyAutoencoderConfig) -> Iterator[nn.Module]:
    width = config.encoder_block_out_channels[0]
    lowest = len(config.num_encoder_blocks) - 1
    for stage, blocks in enumerate(config.num_encoder_blocks):
        if stage == 0:
            yield Conv2d(config.in_channels, width, 3, padding=1)
        else:
            yield Conv2d(width, width, 3, padding=1, stride=2, bias=False)
        block = _block_class(config, is_lowest=stage == lowest)
        yield from (block(width) for _ in range(blocks))
    yield Conv2d(width, config.z_channels, 3, padding=1)


def _decoder_layers(config: TinyAutoencoderConfig) -> Iterator[nn.Module]:
    width = config.decoder_block_out_channels[0]
    yield Conv2d(config.z_channels, width, 3, padding=1)
    yield nn.ReLU()
    for stage, blocks in enumerate(config.num_decoder_blocks):
        if stage > 0:
            yield nn.Upsample(scale_factor=2)
            yield Conv2d(width, width, 3, padding=1, bias=False)
        block = _block_class(config, is_lowest=stage == 0)
        yield from (block(width) for _ in range(blocks))
    yield Conv2d(width, config.out_channels, 3, padding=1)


def _block_class(config: TinyAutoencoderConfig, *, is_lowest: bool) -> type[TinyBlock]:
    return NormedTinyBlock if config.use_midblock_gn and is_lowest else TinyBlock
