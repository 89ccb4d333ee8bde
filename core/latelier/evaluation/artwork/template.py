"""A drawing with alpha that can be placed in a picture: at any size, turn and position."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import grid_sample, pad

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.images.references import visible_box
from latelier.data.emoji_scenes.artwork import half_extent

_SHRINK = 0.75
"""Ratio of the sides of two levels: resampling shrinks a level by at most 4/3."""

_LEAST_SIDE = 12
_RIM = 3
"""Transparent pixels around a level, so that the bicubic kernel fades out instead of cutting."""


class ArtworkTemplate:
    """A drawing, cut to its visible box.

    Attributes:
        size: width and height of the box in pixels.
    """

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        """Keep a drawing.

        Args:
            pixels: (H, W, 4), sRGB with straight alpha.

        Raises:
            InvalidInputError: it has another shape, or no visible pixels.
        """
        if pixels.ndim != 3 or pixels.shape[2] != 4:
            raise InvalidInputError(f"expected a drawing (H, W, 4), got {pixels.shape}")
        image = Image.fromarray(pixels, "RGBA")
        box = visible_box(image)
        if box is None:
            raise InvalidInputError("the drawing is fully transparent")
        self.size = box[2] - box[0], box[3] - box[1]
        side = max(self.size)
        self._image = Image.new("RGBa", (side, side))
        corner = ((side - self.size[0]) // 2, (side - self.size[1]) // 2)
        self._image.paste(image.convert("RGBa").crop(box), corner)
        self._levels: dict[int, Tensor] = {}

    def half_extent(self, angle: float) -> tuple[float, float]:
        """Return half the width and half the height of the turned drawing at scale 1."""
        return half_extent(self.size, angle)

    def draw(self, placements: Tensor, size: int) -> Tensor:
        """Draw the artwork alone, once for each placement.

        Args:
            placements: (N, 4): x and y of the drawing's centre, 0..1; log of its longest side, 1
                for the side of the picture; angle in radians, counter-clockwise.
            size: side of the pictures.

        Returns:
            Float32 (N, 4, size, size) in 0..1, premultiplied by alpha.
        """
        x, y, log_scale, angle = placements.unbind(1)
        level = self._level(math.exp(float(log_scale.mean())) * size)
        # The map goes from the picture's [-1, 1] to the level's, whose rim is no part of the scale.
        side = level.shape[-1]
        step = torch.exp(-log_scale) * (side - 2 * _RIM) / side
        cosine, sine = step * torch.cos(angle), step * torch.sin(angle)
        center_x, center_y = 2 * x - 1, 2 * y - 1
        rows = [
            torch.stack([cosine, -sine, sine * center_y - cosine * center_x], 1),
            torch.stack([sine, cosine, -sine * center_x - cosine * center_y], 1),
        ]
        axis = (2 * torch.arange(size) + 1) / size - 1
        ones = torch.ones(size, size)
        points = torch.stack([axis.expand(size, size), axis[:, None].expand(size, size), ones], 2)
        grid = torch.stack([(points.reshape(-1, 3) @ row.T).T for row in rows], 2)
        drawn = grid_sample(
            level.expand(len(placements), -1, -1, -1),
            grid.reshape(len(placements), size, size, 2),
            mode="bicubic",
            align_corners=False,
        )
        return drawn.clamp(0, 1)

    def _level(self, side: float) -> Tensor:
        """Return the smallest level whose drawing has at least `side` pixels, (1, 4, S, S)."""
        level = self._image.width
        while level * _SHRINK >= max(side, _LEAST_SIDE) * 0.999:
            level = round(level * _SHRINK)
        if level not in self._levels:
            scaled = self._image.resize((level, level), Image.Resampling.HAMMING)
            pixels = torch.from_numpy(np.array(scaled, dtype=np.float32) / np.float32(255))
            self._levels[level] = pad(pixels.permute(2, 0, 1), (_RIM,) * 4)[None]
        return self._levels[level]
