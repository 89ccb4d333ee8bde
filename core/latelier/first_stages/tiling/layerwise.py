"""Steps over a map in tiles, with the group-norm statistics of the whole map.

A norm's statistics depend on every earlier norm, so the steps run one after the other, each over
all tiles, and the maps between them are stored in main memory.

Exact mode stores at most two maps: the input of a residual block and the map between its two
convolutions. The output of a layer without norm (the convolution after an upsampling) would be the
largest map of all, so it is not stored but computed twice: for its statistics, and where it is
read. Compared with one call on the whole map this costs that convolution, and the one or two
positions beyond each tile.

Fast mode computes nothing twice, so it stores the largest map too. It stores maps in bfloat16,
which has the range of float32 and does not overflow.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from latelier.first_stages.tiling.chain import NormConvStep, PlainStep, ResidualStep, Step
from latelier.first_stages.tiling.feature_map import FeatureMap, MapFormat
from latelier.first_stages.tiling.moments import Moments, normalize_by
from latelier.first_stages.tiling.tiling import TilingMode


def run_layerwise(
    steps: Sequence[Step], x: Tensor, side: int, device: torch.device, mode: TilingMode
) -> Tensor:
    """Return the output of steps for x (B, C, h, w), in main memory.

    Tiles of `side` positions of x run on `device`. x is overwritten unless the first step is a
    `PlainStep`.
    """
    final = MapFormat(device, x.dtype, stored=x.dtype)
    between = final if mode == "exact" else replace(final, stored=torch.bfloat16)
    current = FeatureMap(x.cpu(), side, between)
    *segments, (last_plain, last_step) = _split_at_norms(steps)
    for plain, step in segments:
        current = current.append_steps(plain)
        if plain and mode == "fast":
            current = _store(current)
        current = _run_step(current, step)
    current.format = final
    return _run_step(current.append_steps(last_plain), last_step).values.to(x.dtype)


def _split_at_norms(
    steps: Sequence[Step],
) -> Iterator[tuple[list[PlainStep], NormConvStep | ResidualStep | None]]:
    """Yield each step with norms, after the steps without norm before it; None ends the rest."""
    plain: list[PlainStep] = []
    for step in steps:
        if isinstance(step, PlainStep):
            plain.append(step)
        else:
            yield plain, step
            plain = []
    if plain:
        yield plain, None


def _run_step(source: FeatureMap, step: NormConvStep | ResidualStep | None) -> FeatureMap:
    match step:
        case ResidualStep():
            return _run_residual(source, step)
        case NormConvStep():
            return _run_norm_conv(source, step)
        case None:
            return _store(source)


def _store(source: FeatureMap) -> FeatureMap:
    """Compute the pending steps of a map."""
    writer = source.new_writer()
    for tile, part in source.read_tiles():
        writer.write(tile.target, part[..., *tile.interior])
    return writer.finish()


def _run_norm_conv(source: FeatureMap, step: NormConvStep) -> FeatureMap:
    normalize = normalize_by({step.norm: source.moments()})
    writer = source.new_writer()
    for tile, part in source.read_tiles(step):
        writer.write(tile.target, step(part, normalize)[..., *tile.interior])
    return writer.finish()


def _run_residual(source: FeatureMap, step: ResidualStep) -> FeatureMap:
    """Run a residual block; its output overwrites the map that it is added to."""
    normalize = normalize_by({step.first.norm: source.moments()})
    hidden, shortcut = source.new_writer(), source.new_writer()
    adds_to_source = not source.pending and isinstance(step.shortcut, nn.Identity)
    for tile, part in source.read_tiles(step.first):
        hidden.write(tile.target, step.first(part, normalize)[..., *tile.interior])
        if not adds_to_source:
            shortcut.write(tile.target, step.shortcut(part[..., *tile.interior]))
    base = source if adds_to_source else shortcut.finish()
    return _add_second(base, hidden.finish(), step.second)


def _add_second(base: FeatureMap, hidden: FeatureMap, second: NormConvStep) -> FeatureMap:
    """Add the second convolution of a residual block to `base`, in place."""
    normalize = normalize_by({second.norm: hidden.moments()})
    moments = Moments()
    for tile, part in hidden.read_tiles(second):
        total = base.values[..., *tile.target].to(part.device, part.dtype)
        total = total + second(part, normalize)[..., *tile.interior]
        base.values[..., *tile.target] = total
        moments.add(total)
    return FeatureMap(base.values, base.side, base.format, moments=moments)
