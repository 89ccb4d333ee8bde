"""Steps over a map in tiles, with group norms that see the whole map.

A norm's statistics need every earlier norm to be right, so the steps are taken one after the other,
each over all tiles, and the maps in between lie in main memory.

Exact: at most two maps of the size at hand, what a residual block adds to and what lies between its
two convolutions. What a layer without norm gives (the convolution after an upsampling) is not
stored, for it would be the largest map of all: it is computed once for its statistics and once more
where it is used. Against one call on the whole map that one convolution comes on top, and the one
or two positions beyond each tile.

Fast: nothing is computed twice, so the largest map is stored too; maps are stored in bfloat16,
whose range is that of float32, so that nothing overflows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from latelier.first_stages.tiling.chain import Normed, Plain, Residual, Step
from latelier.first_stages.tiling.feature_map import FeatureMap, Setting
from latelier.first_stages.tiling.moments import Moments, fixed


def run_layerwise(
    steps: Sequence[Step], x: Tensor, side: int, device: torch.device, *, exact: bool
) -> Tensor:
    """Return, in main memory, what steps make of x (B, C, h, w) in tiles of `side` positions of x.

    They run on `device`. x is overwritten unless the first step is a `Plain`.
    """
    full = Setting(device, x.dtype, stored=x.dtype)
    between = full if exact else replace(full, stored=torch.bfloat16)
    at_hand = FeatureMap(x.cpu(), side, between)
    *segments, (entry, last) = _segments(steps)
    for before, step in segments:
        at_hand = at_hand.entered(before)
        if before and not exact:
            at_hand = _stored(at_hand)
        at_hand = _taken(at_hand, step)
    at_hand.setting = full
    return _taken(at_hand.entered(entry), last).values.to(x.dtype)


def _segments(steps: Sequence[Step]) -> Iterator[tuple[list[Plain], Normed | Residual | None]]:
    """Yield each step that has norms with the ones without norm before it, and the rest."""
    entry: list[Plain] = []
    for step in steps:
        if isinstance(step, Plain):
            entry.append(step)
        else:
            yield entry, step
            entry = []
    if entry:
        yield entry, None


def _taken(source: FeatureMap, step: Normed | Residual | None) -> FeatureMap:
    match step:
        case Residual():
            return _residual(source, step)
        case Normed():
            return _normed(source, step)
        case None:
            return _stored(source)


def _stored(source: FeatureMap) -> FeatureMap:
    out = source.blank()
    for tile, piece in source.pieces():
        out.put(tile.place, piece[..., *tile.own])
    return out.written()


def _normed(source: FeatureMap, step: Normed) -> FeatureMap:
    normalize = fixed({step.norm: source.moments()})
    out = source.blank()
    for tile, piece in source.pieces(step):
        out.put(tile.place, step(piece, normalize)[..., *tile.own])
    return out.written()


def _residual(source: FeatureMap, step: Residual) -> FeatureMap:
    """Return what a block makes of a map, written over what the block adds to."""
    normalize = fixed({step.first.norm: source.moments()})
    hidden, shortcut = source.blank(), source.blank()
    stored = not source.entry and isinstance(step.shortcut, nn.Identity)
    for tile, piece in source.pieces(step.first):
        hidden.put(tile.place, step.first(piece, normalize)[..., *tile.own])
        if not stored:
            shortcut.put(tile.place, step.shortcut(piece[..., *tile.own]))
    return _added(source if stored else shortcut.written(), hidden.written(), step.second)


def _added(base: FeatureMap, hidden: FeatureMap, second: Normed) -> FeatureMap:
    normalize = fixed({second.norm: hidden.moments()})
    moments = Moments()
    for tile, piece in hidden.pieces(second):
        part = base.values[..., *tile.place].to(piece.device, piece.dtype)
        part = part + second(piece, normalize)[..., *tile.own]
        base.values[..., *tile.place] = part
        moments.add(part)
    return FeatureMap(base.values, base.side, base.setting, moments=moments)
