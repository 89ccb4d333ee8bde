"""The pictures, and their poses, whose outlines resemble an area most."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from PIL import Image

from latelier.contracts.databases import Database
from latelier.contracts.images.cutout import Cutout, Pose
from latelier.pipeline.planning.references.areas import Area, Bits, reduce_mask

_POSES = tuple(
    Pose(turn, mirrored)
    for mirrored, turn in product((False, True), (0.0, -10.0, 10.0, -20.0, 20.0))
)
"""Poses in which the outlines of all pictures are known."""

_OFFSETS = (0.0, -2.5, 2.5, -5.0, 5.0, -7.5, 7.5)
"""Turns between those of the poses, in degrees, that are tried of the most alike pictures."""

_TRIED = 8
"""Pictures that are drawn as they will be, to choose the most alike."""

_SQUARE = 24
"""Side of outlines, in pixels, at which all pictures are compared."""

_SIDE = 64
"""Longest side, in pixels, at which the most alike are compared."""

_CACHED = 4096
_OPAQUE = 127


@dataclass(frozen=True)
class Likeness:
    """How a picture fits an area.

    Attributes:
        pose: in which it fits best.
        share: 0..1, of the overlap in the union of both outlines; below that where outlines are
            compared that do not have the same aspect.
    """

    pose: Pose
    share: float


@dataclass(frozen=True, eq=False)
class _Outlines:
    """A picture in each pose, or an area as it is.

    Attributes:
        bits: (poses, pixels), each scaled to a square.
        aspects: (poses,), width / height before.
    """

    bits: Bits
    aspects: np.ndarray


def find_likeness(area: Area, picture: Image.Image) -> Likeness:
    """Return how a picture, RGBA, resembles an area most."""
    cutout = Cutout(picture.convert("RGBa"))
    wanted = reduce_mask(_mask_of(area), _SIDE)
    return _refine(wanted, cutout, _compare(_outline_area(area), _outline(cutout)))


def find_entry(area: Area, database: Database, entries: Iterable[int]) -> tuple[int, Likeness]:
    """Return which of several entries of a database resembles an area most, and how."""
    outline, read = _outline_area(area), database.picture
    found = {number: _compare(outline, _outline_entry(read, number)) for number in entries}
    tried = sorted(found, key=lambda number: -found[number].share)[:_TRIED]
    wanted = reduce_mask(_mask_of(area), _SIDE)
    refined = {
        number: _refine(wanted, Cutout(read(number).convert("RGBa")), found[number])
        for number in tried
    }
    best = max(refined, key=lambda number: refined[number].share)
    return best, refined[best]


def _refine(wanted: Image.Image, cutout: Cutout, near: Likeness) -> Likeness:
    """Return how a cutout resembles a reduced area most that is turned a little more or less.

    It is drawn as it will be: as large as fits into the box of the area.
    """
    size = wanted.size
    poses = [Pose(near.pose.turn + offset, near.pose.mirrored) for offset in _OFFSETS]
    drawn = [_to_bits(cutout.draw_in((0, 0, *size), pose, size).getchannel(3)) for pose in poses]
    shares = _overlap(np.stack(drawn), _to_bits(wanted))
    best = int(shares.argmax())
    return Likeness(poses[best], float(shares[best]))


@lru_cache(_CACHED)
def _outline_entry(read: Callable[[int], Image.Image], number: int) -> _Outlines:
    return _outline(Cutout(read(number).convert("RGBa")))


def _outline(cutout: Cutout) -> _Outlines:
    """Return the outlines of a cutout in all poses."""
    bits, aspects = [], []
    for pose in _POSES:
        left, top, right, bottom = cutout.extent(pose)
        scale = 2 * _SQUARE / max(right - left, bottom - top)
        size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
        drawn = cutout.draw_in((0, 0, *size), pose, size)
        bits.append(_to_square(drawn.getchannel(3)))
        aspects.append((right - left) / (bottom - top))
    return _Outlines(np.stack(bits), np.array(aspects))


def _mask_of(area: Area) -> Image.Image:
    return Image.fromarray(area.shape.astype(np.uint8) * 255)


def _outline_area(area: Area) -> _Outlines:
    height, width = area.shape.shape
    bits = _to_square(_mask_of(area))
    return _Outlines(bits[None], np.array([width / height]))


def _compare(area: _Outlines, outlines: _Outlines) -> Likeness:
    """Return the pose of the outlines that resembles an area most.

    The share is that of outlines scaled to the same box, times the ratio of their aspects.
    """
    ratios = outlines.aspects / area.aspects
    shares = _overlap(outlines.bits, area.bits) * np.minimum(ratios, 1 / ratios)
    best = int(shares.argmax())
    return Likeness(_POSES[best], float(shares[best]))


def _overlap(some: Bits, others: Bits) -> np.ndarray:
    """Return the share of the common pixels in those of either, of each row."""
    # thin or translucent outlines have no bits at this size
    return (some & others).sum(axis=1) / np.maximum((some | others).sum(axis=1), 1)


def _to_square(mask: Image.Image) -> Bits:
    """Return a mask, scaled to a square, as one row of bits."""
    return _to_bits(mask.resize((_SQUARE, _SQUARE), Image.Resampling.BOX))


def _to_bits(mask: Image.Image) -> Bits:
    return (np.asarray(mask) > _OPAQUE).ravel()
