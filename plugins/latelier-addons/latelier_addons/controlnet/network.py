"""The network of ControlNets, of the UNet's own blocks."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import torch
from latelier.contracts.condition import Condition
from latelier.denoisers.configs import UNetConfig
from latelier.denoisers.unet import UNetEncoder, describe_calls
from latelier.nn.layers import zero_init
from latelier.nn.module import ConfiguredModule
from latelier.nn.packed import Conv2d
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle

from latelier_addons.controlnet.config import ControlNetConfig, UnionConfig
from latelier_addons.controlnet.union import ControlType


class ControlNet(ConfiguredModule[ControlNetConfig]):
    """Computes residuals of a UNet's skip connections and middle block from a hint.

    The names of its tensors are those of the published files, those of the encoder after
    "encoder.". Its last layers, of 1 x 1, start at zero: a new ControlNet changes nothing.
    """

    def __init__(self, config: ControlNetConfig) -> None:
        super().__init__(config)
        self.encoder = ControlEncoder(config.encoder, config.union)
        self.input_hint_block = _build_hint_layers(
            config.hint_widths, config.encoder.model_channels
        )
        channels = self.encoder.skip_channels
        self.zero_convs = nn.ModuleList(nn.Sequential(_build_zero_conv(each)) for each in channels)
        self.middle_block_out = nn.Sequential(_build_zero_conv(channels[-1]))

    def residuals(
        self, x: Tensor, t: Tensor, condition: Condition, hint: Tensor, /
    ) -> Mapping[str, Tensor]:
        """Return the residuals of "skips.N" and "middle_block"; 0 in rows without a hint."""
        features = self.encoder(x, t, condition, self._embed_hint(hint[:, :-1]))
        layers = [*self.zero_convs, self.middle_block_out]
        last, given = len(layers) - 1, hint[:, -1:, :1, :1]
        return {
            block: self._pool(layer(h)) * (self.config.block_scale ** (last - i) * given)
            for i, (block, layer, h) in enumerate(
                zip(self.config.blocks, layers, features, strict=True)
            )
        }

    def _embed_hint(self, cells: Tensor) -> Tensor:
        """Return (B, C, h, w) for the pixels of a hint (B, 3 p^2, h, w)."""
        pixels = pixel_shuffle(cells, self.config.hint_patch)
        if self.config.hint_order == "bgr":
            pixels = pixels.flip(1)
        return self.input_hint_block(pixels)

    def _pool(self, residual: Tensor) -> Tensor:
        if not self.config.global_pooling:
            return residual
        return residual.mean(dim=(2, 3), keepdim=True).expand_as(residual)


class ControlEncoder(UNetEncoder):
    """The encoder of a UNet to whose first features a hint is added.

    Attributes:
        control_type: of the hints; None: there is only one.
    """

    def __init__(self, config: UNetConfig, union: UnionConfig | None = None) -> None:
        super().__init__(config)
        self.control_type = None if union is None else ControlType(union, config)
        self.add_condition_layers()
        self.spec = describe_calls(self)

    def forward(self, x: Tensor, t: Tensor, condition: Condition, hint: Tensor) -> list[Tensor]:
        """Return the outputs of all input blocks, and of the middle block.

        Args:
            x: the denoiser's input, (B, C, h, w).
            t: (B,).
            condition: the denoiser's; parts that the encoder does not know are left out.
            hint: embedded, (B, C, h, w).
        """
        ctx = self.prepare_call(x, t, _select(condition, self.config), None)
        if self.control_type is not None:
            hint = self.control_type(hint)
        first, *others = self.input_blocks
        features = [first(x, ctx) + hint]
        for block in (*others, self.middle_block):
            features.append(block(features[-1], ctx))
        return features

    def embed_timesteps(self, t: Tensor, dtype: torch.dtype) -> Tensor:
        emb = super().embed_timesteps(t, dtype)
        return emb if self.control_type is None else emb + self.control_type.embed(dtype)


def _select(condition: Condition, config: UNetConfig) -> Condition:
    """Return the parts of a condition that a UNet of a configuration takes."""
    streams = {name: each for name, each in condition.streams.items() if name in config.streams}
    vectors = {name: each for name, each in condition.vectors.items() if name in config.vectors}
    return replace(condition, streams=streams, spatial={}, vectors=vectors)


def _build_hint_layers(widths: tuple[int, ...], channels: int) -> nn.Sequential:
    """Return convolutions that lead from pixels to cells: one, two for each halving, and one."""
    layers: list[nn.Module] = [Conv2d(3, widths[0], 3, padding=1), nn.SiLU()]
    for width, wider in pairwise(widths):
        layers += [Conv2d(width, width, 3, padding=1), nn.SiLU()]
        layers += [Conv2d(width, wider, 3, 2, 1), nn.SiLU()]
    return nn.Sequential(*layers, zero_init(Conv2d(widths[-1], channels, 3, padding=1)))


def _build_zero_conv(channels: int) -> nn.Module:
    return zero_init(Conv2d(channels, channels, 1))
