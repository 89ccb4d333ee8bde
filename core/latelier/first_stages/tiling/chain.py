"""A network seen as a chain of steps over a map, each of which looks only so far.

What is done in tiles is done along such a chain. Chains are made anew for each call and hold the
network's own modules: nothing is patched.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from torch import Tensor, nn

from latelier.first_stages.attention import AttnBlock, LinearAttention
from latelier.first_stages.encoder_decoder import Decoder, Encoder, Level, Middle
from latelier.first_stages.layers import Downsample, ResnetBlock, TinyBlock, Upsample, activated

Normalize = Callable[[nn.GroupNorm, Tensor], Tensor]
"""Applies a group norm; what its statistics are taken from is up to it."""


@dataclass(frozen=True, eq=False)
class Normed:
    """A 3x3 convolution after norm and SiLU."""

    norm: nn.GroupNorm
    conv: nn.Conv2d

    def __call__(self, x: Tensor, normalize: Normalize) -> Tensor:
        """Map (B, C, h, w) to (B, C', h, w)."""
        out: Tensor = self.conv(activated(normalize(self.norm, x)))
        return out


@dataclass(frozen=True, eq=False)
class Residual:
    """A residual block as its three parts: second(first(x)) + shortcut(x)."""

    first: Normed
    second: Normed
    shortcut: nn.Module

    def __call__(self, x: Tensor, normalize: Normalize) -> Tensor:
        """Map (B, C, h, w) to (B, C', h, w)."""
        out: Tensor = self.shortcut(x) + self.second(self.first(x, normalize), normalize)
        return out


@dataclass(frozen=True, eq=False)
class Plain:
    """A layer without norm.

    everywhere: every position sees every other.
    """

    layer: nn.Module
    halo: int = 0
    scale: Fraction = Fraction(1)
    everywhere: bool = False

    def __call__(self, x: Tensor, normalize: Normalize) -> Tensor:  # noqa: ARG002
        """Map (B, C, h, w) to (B, C', scale h, scale w)."""
        out: Tensor = self.layer(x)
        return out


Step = Normed | Residual | Plain


def own_statistics(norm: nn.GroupNorm, x: Tensor) -> Tensor:
    """Apply a norm with the statistics of x itself."""
    out: Tensor = norm(x)
    return out


def run(steps: Iterable[Step], x: Tensor, normalize: Normalize = own_statistics) -> Tensor:
    """Return what steps make of x."""
    for step in steps:
        x = step(x, normalize)
    return x


def halo(step: Step) -> int:
    """Return how many positions of its input a step looks beyond each edge of a tile."""
    match step:
        case Normed():
            return 1
        case Residual():
            return 2
        case Plain():
            return step.halo


def scale(step: Step) -> Fraction:
    """Return the factor by which a step changes the sides."""
    return step.scale if isinstance(step, Plain) else Fraction(1)


def everywhere(step: Step) -> bool:
    """Return whether a step needs the whole map."""
    return isinstance(step, Plain) and step.everywhere


def norms(steps: Iterable[Step]) -> Iterator[nn.GroupNorm]:
    """Yield the norms that a tile cannot compute alone, in the order of their use."""
    for step in steps:
        match step:
            case Normed():
                yield step.norm
            case Residual():
                yield step.first.norm
                yield step.second.norm


def encoder_chain(encoder: Encoder) -> list[Step]:
    """Return an encoder's steps."""
    modules = [encoder.conv_in, *encoder.down, encoder.mid]
    return [*_steps(modules), Normed(encoder.norm_out, encoder.conv_out)]


def decoder_chain(decoder: Decoder) -> list[Step]:
    """Return a decoder's steps."""
    modules = [decoder.conv_in, decoder.mid, *reversed(decoder.up)]
    return [*_steps(modules), Normed(decoder.norm_out, decoder.conv_out)]


def sequential_chain(layers: nn.Sequential) -> list[Step]:
    """Return the steps of layers that run one after the other."""
    return list(_steps(layers))


def _steps(modules: Iterable[nn.Module]) -> Iterator[Step]:
    for module in modules:
        yield from _steps_of(module)


def _steps_of(module: nn.Module) -> Iterator[Step]:  # noqa: PLR0912 (one table)
    """Yield the steps of one module of the autoencoders."""
    match module:
        case nn.Identity():
            return
        case Level():
            for block, attn in zip(module.block, module.attn, strict=True):
                yield from _steps([block, attn])
            for name in ("downsample", "upsample"):
                yield from _steps_of(getattr(module, name, nn.Identity()))
        case Middle():
            yield from _steps([module.block_1, module.attn_1, module.block_2])
        case ResnetBlock():
            first = Normed(module.norm1, module.conv1)
            yield Residual(first, Normed(module.norm2, module.conv2), module.nin_shortcut)
        case AttnBlock() | LinearAttention():
            yield Plain(module, everywhere=True)
        case Upsample():
            yield Plain(module, halo=1, scale=Fraction(2))
        case Downsample():
            yield Plain(module, halo=2, scale=Fraction(1, 2))
        case nn.Upsample():
            yield Plain(module, scale=Fraction(2))
        case TinyBlock():
            yield Plain(module, halo=3)
        case nn.ReLU():
            yield Plain(module)
        case nn.Conv2d(stride=(2, 2)):
            yield Plain(module, halo=2, scale=Fraction(1, 2))
        case nn.Conv2d():
            yield Plain(module, halo=module.kernel_size[0] // 2)
        case _:
            raise TypeError(f"no chain is known of a {type(module).__name__}")
