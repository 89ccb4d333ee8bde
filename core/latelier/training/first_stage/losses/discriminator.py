"""The discriminator of the adversarial loss: PatchGAN (Isola et al. 2017, arXiv:1611.07004)."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from latelier.contracts.errors import InvalidConfigError
from latelier.training.configs.first_stage import DiscriminatorConfig

_MAX_WIDTH = 8
"""Channels of a convolution, at most, in units of those of the first."""

_KERNEL = 4
_GROUPS = 32
"""Groups of a group norm, or fewer where they do not divide the channels."""


class PatchDiscriminator(nn.Module):
    """Judges each patch of an image: a high logit means real.

    Layers, numbers and the names of tensors are those of Esser et al. (arXiv:2012.09841).
    """

    def __init__(self, config: DiscriminatorConfig, channels: int = 3) -> None:
        super().__init__()
        widths = [config.channels * min(2**k, _MAX_WIDTH) for k in range(config.layers + 1)]
        layers = [nn.Conv2d(channels, widths[0], _KERNEL, stride=2, padding=1), _activation()]
        for index, (before, after) in enumerate(pairwise(widths), start=1):
            stride = 2 if index < config.layers else 1
            has_bias = config.norm != "batch"
            layers += [
                nn.Conv2d(before, after, _KERNEL, stride, padding=1, bias=has_bias),
                _make_norm(config.norm, after),
                _activation(),
            ]
        layers.append(nn.Conv2d(widths[-1], 1, _KERNEL, stride=1, padding=1))
        self.main = nn.Sequential(*layers)
        self.apply(_initialize)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (B, 1, h, w) of images (B, C, H, W)."""
        return self.main(images)


class ActNorm(nn.Module):
    """A scale and a shift of each channel that normalise the first batch (arXiv:1807.03039)."""

    initialized: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.loc = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.scale = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.register_buffer("initialized", torch.tensor(0, dtype=torch.uint8))

    def forward(self, h: Tensor) -> Tensor:
        """Return (B, C, h, w)."""
        if not self.initialized:
            self._fit(h.detach().float())
        return self.scale * (h + self.loc)

    @torch.no_grad()
    def _fit(self, h: Tensor) -> None:
        mean, std = h.mean((0, 2, 3), keepdim=True), h.std((0, 2, 3), keepdim=True)
        self.loc.copy_(-mean)
        self.scale.copy_(1 / (std + 1e-6))
        self.initialized.fill_(1)


def receptive_field(layers: int) -> int:
    """Return the side in pixels of the patch that one logit sees: 70 for 3 layers."""
    side = 1
    for stride in [1, 1] + [2] * layers:  # from the last convolution to the first
        side = (side - 1) * stride + _KERNEL
    return side


def check_field(config: DiscriminatorConfig, height: int, width: int) -> None:
    """Check that images are not smaller than the patch that a logit sees.

    Raises:
        InvalidConfigError: names the largest number of layers that fits.
    """
    side = min(height, width)
    if receptive_field(config.layers) <= side:
        return
    fitting = [n for n in range(1, config.layers) if receptive_field(n) <= side]
    fix = f"layers: {fitting[-1]}" if fitting else "larger images, or no adversarial loss"
    raise InvalidConfigError(
        f"adversarial.discriminator: with {config.layers} layers it sees patches of "
        f"{receptive_field(config.layers)} pixels, but the images are {width} x {height}; "
        f"use {fix}"
    )


def _activation() -> nn.Module:
    return nn.LeakyReLU(0.2)


def _make_norm(norm: str, channels: int) -> nn.Module:
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm == "act":
        return ActNorm(channels)
    groups = max(n for n in range(1, _GROUPS + 1) if channels % n == 0)
    return nn.GroupNorm(groups, channels)


def _initialize(module: nn.Module) -> None:
    """Draw weights as published: convolutions from N(0, 0.02), batch norms from N(1, 0.02)."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
