"""The part of a picture in which objects are placed: all of it, or what a mask marks."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from latelier.contracts.images.cutout import Cutout, Pose
from latelier.contracts.inputs import Box
from latelier.pipeline.planning.references.areas import Bits, reduce_mask

WHOLE = Box(x0=0, y0=0, x1=1, y1=1)
"""The whole picture."""

_SIDE = 64
"""Longest side, in pixels, at which objects and masks are compared."""

_SHRINK = 0.94
_SMALLEST = 0.25
"""Ratio of the sides of an object to those it was given, below which it is not shrunk."""

_INSIDE = 0.98
"""Share of an object that must lie in the mask: the rest is lost at its edge."""

_OPAQUE = 127


@dataclass(frozen=True, eq=False)
class Region:
    """A part of a picture.

    Attributes:
        box: around it.
        mask: (h, w), where it is, of the whole picture; None if it is all of `box`.
    """

    box: Box = WHOLE
    mask: Bits | None = None

    def shrink(self, box: Box, cutout: Cutout, pose: Pose) -> Box:
        """Return the box of an object, shrunk around its centre until the object is in the mask.

        It stays as it is if no size fits.
        """
        if self.mask is None:
            return box
        shrunk, scale = box, 1.0
        while _share_inside(self.mask, shrunk, cutout, pose) < _INSIDE:
            scale *= _SHRINK
            if scale < _SMALLEST:
                return box
            shrunk = _scale(box, scale)
        return shrunk


def mark_region(mask: Image.Image) -> Region:
    """Return the region of a mask of mode L, white where it is; the whole if nothing is."""
    bounds = mask.getbbox()
    if bounds is None:
        return Region()
    box = Box.of_pixels(bounds, mask.size)
    if (np.asarray(mask.crop(bounds)) > _OPAQUE).all():
        return Region(box)
    return Region(box, np.asarray(reduce_mask(mask, _SIDE)) > _OPAQUE)


def _scale(box: Box, scale: float) -> Box:
    """Return a box with its sides scaled, around the same centre."""
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    half_width, half_height = scale * (box.x1 - box.x0) / 2, scale * (box.y1 - box.y0) / 2
    return Box(x0=x - half_width, y0=y - half_height, x1=x + half_width, y1=y + half_height)


def _share_inside(mask: Bits, box: Box, cutout: Cutout, pose: Pose) -> float:
    """Return the share, 0..1, of an object in a box, by its alpha, that lies in a mask."""
    size = (mask.shape[1], mask.shape[0])
    alpha = np.asarray(cutout.draw_in(box.to_pixels(size), pose, size).getchannel(3), dtype=float)
    return float((alpha * mask).sum() / max(alpha.sum(), 1))
