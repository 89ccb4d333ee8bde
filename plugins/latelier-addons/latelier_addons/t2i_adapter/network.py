"""The networks of T2I-Adapters."""

from collections.abc import Mapping, MutableMapping

import torch
from latelier.contracts.condition import Condition
from latelier.nn.module import ConfiguredModule
from latelier.nn.packed import Conv2d
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad, pixel_shuffle, pixel_unshuffle, relu
from torch.utils.weak import WeakTensorKeyDictionary

from latelier_addons.t2i_adapter.config import HINT_PATCH, T2IAdapterConfig

_XL_DOWN = 2
"""The only stage of SDXL's variant that halves the resolution."""


class T2IAdapter(ConfiguredModule[T2IAdapterConfig]):
    """Computes features of a hint, which are added to those of a UNet.

    They do not depend on the step. A hint is the same tensor at all steps of a run, so its features
    are kept as long as it lives. The names of the weights are those of diffusers, less "adapter.".
    """

    def __init__(self, config: T2IAdapterConfig) -> None:
        super().__init__(config)
        is_xl, widths = config.variant == "full_xl", config.widths
        self.patch = 2 * HINT_PATCH if is_xl else HINT_PATCH
        channels = config.colors * self.patch**2
        if config.variant == "light":
            self.conv_in: nn.Module = nn.Identity()
        else:
            self.conv_in = Conv2d(channels, widths[0], 3, padding=1)
            channels = widths[0]
        self._features: MutableMapping[Tensor, dict[str, Tensor]] = WeakTensorKeyDictionary()
        self.body = nn.ModuleList()
        for i, width in enumerate(widths):
            is_down = i == _XL_DOWN if is_xl else i > 0
            stage = _LightStage if config.variant == "light" else _Stage
            self.body.append(stage(channels, width, config.num_res_blocks, is_down))
            channels = width

    def residuals(
        self, _x: Tensor, _t: Tensor, _condition: Condition, hint: Tensor, /
    ) -> Mapping[str, Tensor]:
        """Return the features of the hint; 0 in rows without one."""
        features = self._features.get(hint)
        if features is None:
            features = self._compute(hint)
            if not torch.is_grad_enabled():
                self._features[hint] = features
        return features

    def _compute(self, hint: Tensor) -> dict[str, Tensor]:
        pixels = pixel_shuffle(hint[:, :-1], HINT_PATCH)
        if self.config.colors == 1:
            pixels = pixels.mean(dim=1, keepdim=True)
        h, given = self.conv_in(_unshuffle(pixels, self.patch)), hint[:, -1:, :1, :1]
        features = {}
        for block, stage in zip(self.config.blocks, self.body, strict=True):
            h = stage(h)
            features[block] = h * given
        return features


def _unshuffle(pixels: Tensor, patch: int) -> Tensor:
    """Return (B, C p^2, h / p, w / p), rounded up: the last pixels are repeated."""
    missing = (-pixels.shape[3] % patch, -pixels.shape[2] % patch)
    if any(missing):
        pixels = pad(pixels, (0, missing[0], 0, missing[1]), mode="replicate")
    return pixel_unshuffle(pixels, patch)


class _Stage(nn.Module):
    """Residual blocks at one resolution."""

    def __init__(self, in_channels: int, out_channels: int, blocks: int, is_down: bool) -> None:
        super().__init__()
        self.is_down = is_down
        is_same = in_channels == out_channels
        self.in_conv = nn.Identity() if is_same else Conv2d(in_channels, out_channels, 1)
        self.resnets = nn.Sequential(*(_ResBlock(out_channels, 1) for _ in range(blocks)))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C_out, h, w), or half of that size, rounded up."""
        x = avg_pool2d(x, 2, ceil_mode=True) if self.is_down else x
        return self.resnets(self.in_conv(x))


class _LightStage(nn.Module):
    """Residual blocks of a quarter of the channels, between two convolutions."""

    def __init__(self, in_channels: int, out_channels: int, blocks: int, is_down: bool) -> None:
        super().__init__()
        self.is_down, inner = is_down, out_channels // 4
        self.in_conv = Conv2d(in_channels, inner, 1)
        self.resnets = nn.Sequential(*(_ResBlock(inner, 3) for _ in range(blocks)))
        self.out_conv = Conv2d(inner, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C_out, h, w), or half of that size, rounded up."""
        x = avg_pool2d(x, 2, ceil_mode=True) if self.is_down else x
        return self.out_conv(self.resnets(self.in_conv(x)))


class _ResBlock(nn.Module):
    def __init__(self, channels: int, last_kernel: int) -> None:
        super().__init__()
        self.block1 = Conv2d(channels, channels, 3, padding=1)
        self.block2 = Conv2d(channels, channels, last_kernel, padding=last_kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, h, w)."""
        return x + self.block2(relu(self.block1(x)))
