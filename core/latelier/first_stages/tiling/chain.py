"""A network as a sequence of steps over a map, each with a limited receptive field.

Tiled encoding and decoding run these steps. They are created for each call and hold the network's
own modules: nothing is patched.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from torch import Tensor, nn

from latelier.first_stages.attention import AttnBlock, LinearAttention
from latelier.first_stages.encoder_decoder import Decoder, Encoder, Level, Middle
from latelier.first_stages.layers import (
    Downsample,
    NormedTinyBlock,
    PositionNorm,
    ResnetBlock,
    TinyBlock,
    Upsample,
    activate_in_place,
)

Normalize = Callable[[nn.GroupNorm, Tensor], Tensor]
"""Applies a group norm to a map; chooses where the statistics come from."""


@dataclass(frozen=True, eq=False)
class NormConvStep:
    """A 3x3 convolution after norm and SiLU. It maps (B, C, h, w) to (B, C', h, w)."""

    norm: nn.GroupNorm
    conv: nn.Conv2d

    halo: ClassVar[int] = 1
    scale: ClassVar[Fraction] = Fraction(1)
    is_global: ClassVar[bool] = False

    def __call__(self, x: Tensor, normalize: Normalize) -> Tensor:
        return self.conv(activate_in_place(normalize(self.norm, x)))


@dataclass(frozen=True, eq=False)
class ResidualStep:
    """A residual block: second(first(x)) + shortcut(x). It maps (B, C, h, w) to (B, C', h, w)."""

    first: NormConvStep
    second: NormConvStep
    shortcut: nn.Module

    halo: ClassVar[int] = 2
    scale: ClassVar[Fraction] = Fraction(1)
    is_global: ClassVar[bool] = False

    def __call__(self, x: Tensor, normalize: Normalize) -> Tensor:
        return self.shortcut(x) + self.second(self.first(x, normalize), normalize)


@dataclass(frozen=True, eq=False)
class PlainStep:
    """A layer without statistics of the whole map.

    It maps (B, C, h, w) to (B, C', scale * h, scale * w).

    Attributes:
        layer: the layer.
        halo: positions of the input beyond each edge of a tile that the tile depends on.
        scale: factor of the sides.
        is_global: whether every position depends on all others.
    """

    layer: nn.Module
    halo: int = 0
    scale: Fraction = Fraction(1)
    is_global: bool = False

    def __call__(self, x: Tensor, normalize: Normalize) -> Tensor:  # noqa: ARG002
        return self.layer(x)


Step = NormConvStep | ResidualStep | PlainStep


def apply_norm(norm: nn.GroupNorm, x: Tensor) -> Tensor:
    """Apply a norm with the statistics of x."""
    return norm(x)


def run_steps(steps: Iterable[Step], x: Tensor, normalize: Normalize = apply_norm) -> Tensor:
    """Return the output of the last step for a map x (B, C, h, w)."""
    for step in steps:
        x = step(x, normalize)
    return x


def split_encoder(encoder: Encoder) -> list[Step]:
    """Return the steps of an encoder."""
    modules = [encoder.to_patches, encoder.conv_in, *encoder.down, encoder.mid]
    return [*_steps_of_all(modules), _norm_conv(encoder.norm_out, encoder.conv_out)]


def split_decoder(decoder: Decoder) -> list[Step]:
    """Return the steps of a decoder."""
    modules = [decoder.conv_in, decoder.mid, *reversed(decoder.up)]
    last = _norm_conv(decoder.norm_out, decoder.conv_out)
    return [*_steps_of_all(modules), last, *_steps_of(decoder.from_patches)]


def split_layers(layers: nn.Sequential) -> list[Step]:
    """Return the steps of layers in sequence."""
    return list(_steps_of_all(layers))


def _norm_conv(norm: nn.GroupNorm | PositionNorm, conv: nn.Conv2d) -> Step:
    """Return the step of a 3x3 convolution after norm and SiLU."""
    if isinstance(norm, PositionNorm):
        return PlainStep(nn.Sequential(norm, nn.SiLU(), conv), halo=1)
    return NormConvStep(norm, conv)


def _steps_of_all(modules: Iterable[nn.Module]) -> Iterator[Step]:
    for module in modules:
        yield from _steps_of(module)


def _steps_of(module: nn.Module) -> Iterator[Step]:  # noqa: PLR0912 (one table)
    match module:
        case nn.Identity():
            return
        case Level():
            for block, attn in zip(module.block, module.attn, strict=True):
                yield from _steps_of_all([block, attn])
            for name in ("downsample", "upsample"):
                yield from _steps_of(getattr(module, name, nn.Identity()))
        case Middle():
            yield from _steps_of_all([module.block_1, module.attn_1, module.block_2])
        case ResnetBlock(norm1=nn.GroupNorm() as norm1, norm2=nn.GroupNorm() as norm2):
            first, second = NormConvStep(norm1, module.conv1), NormConvStep(norm2, module.conv2)
            yield ResidualStep(first, second, module.nin_shortcut)
        case ResnetBlock():
            yield PlainStep(module, halo=2)
        case AttnBlock() | LinearAttention():
            yield PlainStep(module, is_global=True)
        case Upsample():
            yield PlainStep(module, halo=1, scale=Fraction(2))
        case Downsample():
            yield PlainStep(module, halo=2, scale=Fraction(1, 2))
        case nn.Upsample():
            yield PlainStep(module, scale=Fraction(2))
        case nn.PixelUnshuffle():
            yield PlainStep(module, scale=Fraction(1, module.downscale_factor))
        case nn.PixelShuffle():
            yield PlainStep(module, scale=Fraction(module.upscale_factor))
        case NormedTinyBlock():
            yield PlainStep(module, is_global=True)
        case TinyBlock():
            yield PlainStep(module, halo=3)
        case nn.ReLU():
            yield PlainStep(module)
        case nn.Conv2d(stride=(2, 2)):
            yield PlainStep(module, halo=2, scale=Fraction(1, 2))
        case nn.Conv2d():
            yield PlainStep(module, halo=module.kernel_size[0] // 2)
        case _:
            raise TypeError(f"{type(module).__name__} cannot be split into steps for tiles")
