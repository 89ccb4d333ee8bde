"""The KL-regularised autoencoder of Rombach et al. 2022 (arXiv:2112.10752, section 3.1).

Keys and numerics are those of the published checkpoints (encoder.*, decoder.*, quant_conv,
post_quant_conv).
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from latelier.first_stages.autoencoder_kl_config import AutoencoderKLConfig
from latelier.first_stages.layers import DownLevel, Middle, UpLevel, group_norm
from latelier.kernel.errors import InvalidInputError


class AutoencoderKL(nn.Module):
    """Encodes images to the mean of a Gaussian over latents, and decodes latents.

    Latents are multiplied by `config.scale_factor` on the way out and divided by it on the way in.
    """

    def __init__(self, config: AutoencoderKLConfig) -> None:
        super().__init__()
        self._config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.quant_conv = nn.Conv2d(2 * config.z_channels, 2 * config.embed_dim, 1)
        self.post_quant_conv = nn.Conv2d(config.embed_dim, config.z_channels, 1)

    @property
    def config(self) -> AutoencoderKLConfig:
        """The configuration that it was built with."""
        return self._config

    def encode(self, images: Tensor) -> Tensor:
        """Return the latents (B, C, H / f, W / f), the posterior's mode, of images (B, 3, H, W).

        Raises:
            InvalidInputError: the images have a shape that it cannot take.
        """
        mean, _ = self.posterior(images)
        return mean * self.config.scale_factor

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
        moments = self.quant_conv(self.encoder(images))
        mean, logvar = moments.chunk(2, dim=1)
        return mean, logvar.clamp(-30.0, 20.0)

    def decode(self, latents: Tensor) -> Tensor:
        """Return the images (B, 3, H, W), about in [-1, 1], of latents (B, C, H / f, W / f).

        Raises:
            InvalidInputError: the latents do not have its number of channels.
        """
        channels = self.config.embed_dim
        if latents.ndim != 4 or latents.shape[1] != channels:
            raise InvalidInputError(
                f"latents of this first stage are (B, {channels}, h, w), not {_shape(latents)}"
            )
        images: Tensor = self.decoder(self.post_quant_conv(latents / self.config.scale_factor))
        return images

    def _check_images(self, images: Tensor) -> None:
        channels, f = self.config.in_channels, self.config.downsampling
        if images.ndim != 4 or images.shape[1] != channels:
            raise InvalidInputError(
                f"images for this first stage are (B, {channels}, H, W), not {_shape(images)}"
            )
        height, width = images.shape[2:]
        if height % f or width % f or not height or not width:
            raise InvalidInputError(
                f"image sides must be multiples of {f} for this first stage, not {width}x{height}"
            )


class Encoder(nn.Module):
    """Maps images to the moments of the posterior, before the 1x1 convolution."""

    def __init__(self, config: AutoencoderKLConfig) -> None:
        super().__init__()
        groups, dropout = config.num_groups, config.dropout
        attention = config.attn_type != "none"
        widths = [config.ch * mult for mult in config.ch_mult]
        self.conv_in = nn.Conv2d(config.in_channels, config.ch, 3, padding=1)
        self.down = nn.ModuleList(
            DownLevel(
                before,
                width,
                config.num_res_blocks,
                groups,
                dropout,
                attention=attention and _attends(config, index),
                last=index == len(widths) - 1,
            )
            for index, (before, width) in enumerate(pairwise([config.ch, *widths]))
        )
        self.mid = Middle(widths[-1], groups, dropout, attention=attention)
        self.norm_out = group_norm(widths[-1], groups)
        self.conv_out = nn.Conv2d(widths[-1], 2 * config.z_channels, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, 3, H, W) to (B, 2 z, H / f, W / f)."""
        h = self.conv_in(images)
        for level in self.down:
            h = level(h)
        moments: Tensor = self.conv_out(silu(self.norm_out(self.mid(h))))
        return moments


class Decoder(nn.Module):
    """Maps latents, after the 1x1 convolution, to images.

    `up[0]` is the highest resolution, as in the published checkpoints; it runs last.
    """

    def __init__(self, config: AutoencoderKLConfig) -> None:
        super().__init__()
        groups, dropout = config.num_groups, config.dropout
        attention = config.attn_type != "none"
        widths = [config.ch * mult for mult in config.ch_mult]
        self.conv_in = nn.Conv2d(config.z_channels, widths[-1], 3, padding=1)
        self.mid = Middle(widths[-1], groups, dropout, attention=attention)
        self.up = nn.ModuleList(
            UpLevel(
                below,
                width,
                config.num_res_blocks + 1,
                groups,
                dropout,
                attention=attention and _attends(config, index),
                last=index == 0,
            )
            for index, (width, below) in enumerate(pairwise([*widths, widths[-1]]))
        )
        self.norm_out = group_norm(widths[0], groups)
        self.conv_out = nn.Conv2d(widths[0], config.out_ch, 3, padding=1)

    def forward(self, latents: Tensor) -> Tensor:
        """Map (B, z, h, w) to (B, 3, f h, f w)."""
        h = self.mid(self.conv_in(latents))
        for level in reversed(self.up):
            h = level(h)
        images: Tensor = self.conv_out(silu(self.norm_out(h)))
        return images


def _attends(config: AutoencoderKLConfig, level: int) -> bool:
    return config.resolution // 2**level in config.attn_resolutions


def _shape(tensor: Tensor) -> str:
    return "(" + ", ".join(str(side) for side in tensor.shape) + ")"
