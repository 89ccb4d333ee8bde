"""The pictures, and their poses, whose outlines resemble an area most."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from latelier.contracts.databases import Database
from latelier.contracts.images.references import visible_box
from latelier.pipeline.planning.references.areas import Area, Bits

_SIDE = 24
"""Side of outlines, in pixels, at which they are compared."""

_DRAWN_SIDE = 4 * _SIDE
_TURNS = (0.0, -10.0, 10.0, -20.0, 20.0)
_CACHED = 4096
_OPAQUE = 127


@dataclass(frozen=True)
class Pose:
    """How a picture fits an area.

    Attributes:
        turn: degrees, counter-clockwise.
        mirrored: whether it is mirrored left to right.
        likeness: 0..1, share of the overlap in the union of both outlines, scaled to the same box,
            times the ratio of their aspects.
    """

    turn: float
    mirrored: bool
    likeness: float


@dataclass(frozen=True, eq=False)
class _Outlines:
    """A picture in each pose, or an area as it is.

    Attributes:
        bits: (poses, pixels), each scaled to a square.
        aspects: (poses,), width / height before.
    """

    bits: Bits
    aspects: np.ndarray


def find_pose(area: Area, picture: Image.Image) -> Pose:
    """Return the pose of a picture, RGBA, that resembles an area most."""
    return _compare(_outline_area(area), _outline(picture))


def find_entry(area: Area, database: Database, entries: Iterable[int]) -> tuple[int, Pose]:
    """Return which of several entries of a database resembles an area most, and how."""
    outline, read = _outline_area(area), database.picture
    poses = {number: _compare(outline, _outline_entry(read, number)) for number in entries}
    best = max(poses, key=lambda number: poses[number].likeness)
    return best, poses[best]


@lru_cache(_CACHED)
def _outline_entry(read: Callable[[int], Image.Image], number: int) -> _Outlines:
    return _outline(read(number))


def _outline(picture: Image.Image) -> _Outlines:
    """Return the outlines of a picture in all poses."""
    alpha = picture.getchannel("A")
    alpha.thumbnail((_DRAWN_SIDE, _DRAWN_SIDE))
    bits, aspects = [], []
    for mirrored in (False, True):
        for turn in _TURNS:
            posed = alpha.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else alpha
            posed = posed.rotate(turn, Image.Resampling.BILINEAR, expand=True)
            shown = posed.crop(visible_box(Image.merge("RGBA", [posed] * 4)))
            bits.append(_to_square(shown))
            aspects.append(shown.width / shown.height)
    return _Outlines(np.stack(bits), np.array(aspects))


def _outline_area(area: Area) -> _Outlines:
    height, width = area.shape.shape
    bits = _to_square(Image.fromarray(area.shape.astype(np.uint8) * 255))
    return _Outlines(bits[None], np.array([width / height]))


def _compare(area: _Outlines, outlines: _Outlines) -> Pose:
    union = (outlines.bits | area.bits).sum(axis=1)
    # thin or translucent outlines have no bits at this size
    common = (outlines.bits & area.bits).sum(axis=1) / np.maximum(union, 1)
    ratios = outlines.aspects / area.aspects
    likeness = common * np.minimum(ratios, 1 / ratios)
    best = int(likeness.argmax())
    turn = _TURNS[best % len(_TURNS)]
    return Pose(turn, best >= len(_TURNS), float(likeness[best]))


def _to_square(mask: Image.Image) -> Bits:
    """Return a mask, scaled to a square, as one row of bits."""
    small = mask.resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return (np.asarray(small) > _OPAQUE).ravel()
