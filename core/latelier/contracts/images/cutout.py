"""Cutouts: pictures with transparency, drawn at any place, in any size and turn."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latelier.contracts.images.references import visible_box, visible_mask

_SHRINK = 0.75
"""Ratio of the sides of a smaller copy to the next larger one: resampling shrinks a copy by at most
4/3, so that its fine lines do not alias."""

_ENLARGE = 1.5
"""Scale above which a copy is larger than the picture, so that its edges stay inside its box."""

_RIM = 3
"""Transparent pixels around a copy, without which the bicubic kernel would cut off its edge."""

_Floats: TypeAlias = NDArray[np.floating]
Extent: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels."""


@dataclass(frozen=True, slots=True)
class Pose:
    """How a picture is laid down: first mirrored, then turned.

    Attributes:
        turn: degrees, counter-clockwise.
        mirrored: whether left and right are exchanged.
    """

    turn: float = 0.0
    mirrored: bool = False


@dataclass(frozen=True, eq=False)
class Cutout:
    """A picture with transparency that is drawn without rounding its place or size to pixels.

    Attributes:
        picture: of mode "RGBa", so premultiplied by alpha.
    """

    picture: Image.Image

    @cached_property
    def box(self) -> tuple[int, int, int, int]:
        """The box of its visible part, left, top, right and bottom in pixels."""
        box = visible_box(self.picture)
        if box is None:
            raise ValueError("the picture has no visible pixels")
        return box

    def extent(self, pose: Pose) -> Extent:
        """Return the box around its visible part as it is posed, from the centre of `box`."""
        x, y = self._outline
        x = -x if pose.mirrored else x
        cosine, sine = math.cos(math.radians(pose.turn)), math.sin(math.radians(pose.turn))
        turned_x, turned_y = x * cosine + y * sine, y * cosine - x * sine
        return (
            float(turned_x.min()),
            float(turned_y.min()),
            float(turned_x.max()),
            float(turned_y.max()),
        )

    def draw(
        self, center: tuple[float, float], scale: float, pose: Pose, size: tuple[int, int]
    ) -> Image.Image:
        """Return a picture of `size` (width, height) with the cutout, of mode "RGBa".

        Args:
            center: x and y of the centre of `box`, in pixels.
            scale: side of one of its pixels, above 0.
            pose: how it lies.
            size: width and height in pixels.
        """
        copy, (step_x, step_y) = self._copy(scale)
        cosine, sine = math.cos(math.radians(pose.turn)), math.sin(math.radians(pose.turn))
        flip = -1.0 if pose.mirrored else 1.0
        left, top, right, bottom = self.box
        # Pillow takes the map from pixels of the result to those of the source.
        a, b = flip * cosine * step_x / scale, flip * -sine * step_x / scale
        d, e = sine * step_y / scale, cosine * step_y / scale
        source_x = (left + right) / 2 * step_x + _RIM
        source_y = (top + bottom) / 2 * step_y + _RIM
        x, y = center
        matrix = (a, b, source_x - a * x - b * y, d, e, source_y - d * x - e * y)
        return copy.transform(
            size, Image.Transform.AFFINE, matrix, resample=Image.Resampling.BICUBIC
        )

    def draw_in(self, box: Extent, pose: Pose, size: tuple[int, int]) -> Image.Image:
        """Return a picture of `size` with the visible part as large as fits into a box, centred.

        Args:
            box: in pixels of the result.
            pose: how it lies.
            size: width and height in pixels.
        """
        left, top, right, bottom = self.extent(pose)
        scale = min((box[2] - box[0]) / (right - left), (box[3] - box[1]) / (bottom - top))
        x = (box[0] + box[2] - scale * (left + right)) / 2
        y = (box[1] + box[3] - scale * (top + bottom)) / 2
        return self.draw((x, y), scale, pose, size)

    @cached_property
    def _outline(self) -> tuple[_Floats, _Floats]:
        """Corners of the first and last visible pixels of each row, x and y from `box`'s centre."""
        left, top, right, bottom = self.box
        mask = np.asarray(visible_mask(self.picture).crop(self.box)) > 0
        rows = np.flatnonzero(mask.any(axis=1))
        first = mask[rows].argmax(axis=1)
        end = mask.shape[1] - mask[rows, ::-1].argmax(axis=1)
        x = np.concatenate([first, first, end, end]) - (right - left) / 2
        y = np.concatenate([rows, rows + 1, rows, rows + 1]) - (bottom - top) / 2
        return x, y

    def _copy(self, scale: float) -> tuple[Image.Image, tuple[float, float]]:
        """Return the smallest copy that suffices for a scale, inside its rim.

        Beside it: width and height in it of one pixel of the picture.
        """
        ratio, (width, height) = self._choose_ratio(scale), self.picture.size
        if ratio not in self._copies:
            self._copies[ratio] = self._resize(ratio)
        copy = self._copies[ratio]
        return copy, ((copy.width - 2 * _RIM) / width, (copy.height - 2 * _RIM) / height)

    def _choose_ratio(self, scale: float) -> float:
        """Return the ratio of the sides of the copy for a scale to those of the picture."""
        if scale > _ENLARGE:
            return math.ceil(scale)
        longest, ratio = max(self.picture.size), 1.0
        while int(longest * ratio * _SHRINK) >= max(longest * scale * 0.999, 1):
            ratio *= _SHRINK
        return ratio

    def _resize(self, ratio: float) -> Image.Image:
        """Return a copy whose sides are those of the picture times `ratio`, inside a rim."""
        width, height = (max(1, int(side * ratio)) for side in self.picture.size)
        copy = self.picture
        if ratio != 1:
            method = Image.Resampling.HAMMING if ratio < 1 else Image.Resampling.BICUBIC
            copy = copy.resize((width, height), method)
        rimmed = Image.new("RGBa", (width + 2 * _RIM, height + 2 * _RIM))
        rimmed.paste(copy, (_RIM, _RIM))
        return rimmed

    @cached_property
    def _copies(self) -> dict[float, Image.Image]:
        return {}
