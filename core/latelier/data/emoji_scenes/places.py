"""Six places to put objects in: a sky over a ground, or over water."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

NONE, SKY, GROUND, WATER = 0, 1, 2, 3
"""Ids of the semantic map; the groups of the glyphs follow from 4."""

RGB: TypeAlias = tuple[int, int, int]
Canvas: TypeAlias = NDArray[np.floating]
Classes: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Place:
    """A landscape. Lengths are fractions of the image.

    Attributes:
        where: its phrase in a caption.
        sky: colours of the sky, from top to bottom.
        ground: colours of the ground, from top to bottom.
        ground_class: id of the ground in the semantic map.
        horizon: range of the horizon's height.
        waves: height of the hills on the horizon.
        disc: colour of a sun or moon.
        disc_radius: radius of the sun or moon.
        disc_on_horizon: whether the sun or moon is on the horizon.
        specks: colours of small dots.
        specks_in: id of the region with the dots.
        strip: colour of water at the horizon.
    """

    where: str
    sky: tuple[RGB, RGB]
    ground: tuple[RGB, RGB]
    ground_class: int = GROUND
    horizon: tuple[float, float] = (0.5, 0.65)
    waves: float = 0.03
    disc: RGB | None = None
    disc_radius: float = 0.08
    disc_on_horizon: bool = False
    specks: tuple[RGB, ...] = ()
    specks_in: int = SKY
    strip: RGB | None = None

    @property
    def tones(self) -> tuple[RGB, ...]:
        """The colours that objects must stand out from."""
        return (self.sky[1], self.ground[0])


PLACES = {
    "meadow": Place(
        where="in a meadow",
        sky=((96, 172, 240), (198, 230, 250)),
        ground=((122, 192, 76), (58, 140, 54)),
        specks=((255, 255, 255), (255, 222, 80), (250, 150, 190)),
        specks_in=GROUND,
    ),
    "beach": Place(
        where="on a beach",
        sky=((84, 176, 244), (206, 236, 252)),
        ground=((246, 222, 164), (226, 190, 124)),
        horizon=(0.58, 0.68),
        waves=0.012,
        disc=(255, 240, 150),
        strip=(28, 138, 190),
    ),
    "sea": Place(
        where="at sea",
        sky=((128, 196, 246), (222, 240, 252)),
        ground=((34, 128, 190), (12, 62, 128)),
        ground_class=WATER,
        waves=0.012,
        specks=((150, 206, 236),),
        specks_in=WATER,
    ),
    "snow": Place(
        where="in the snow",
        sky=((140, 164, 200), (202, 216, 234)),
        ground=((246, 250, 255), (214, 226, 244)),
        waves=0.05,
        specks=((255, 255, 255),),
        specks_in=SKY,
    ),
    "desert": Place(
        where="in the desert at sunset",
        sky=((112, 58, 128), (252, 156, 84)),
        ground=((216, 142, 72), (166, 92, 46)),
        waves=0.06,
        disc=(255, 226, 130),
        disc_radius=0.13,
        disc_on_horizon=True,
    ),
    "night": Place(
        where="under a night sky",
        sky=((10, 14, 46), (40, 52, 112)),
        ground=((34, 58, 56), (16, 30, 34)),
        horizon=(0.72, 0.8),
        waves=0.05,
        disc=(250, 244, 214),
        specks=((255, 255, 255), (255, 246, 200)),
    ),
}


def draw_place(name: str, size: int, rng: np.random.Generator) -> tuple[Canvas, Classes]:
    """Return the image (size, size, 3) in 0..255 of a place and its semantic map (size, size)."""
    place = PLACES[name]
    axis = pixel_centers(size)
    level = np.float32(rng.uniform(*place.horizon))
    horizon = level + np.float32(place.waves) * _hills(axis, rng)  # (W,)
    depth = (axis[:, None] - horizon) * size  # (H, W), pixels below the horizon
    image = _ramp(place.sky, axis / level)[:, None].repeat(size, axis=1)
    semantics = np.where(depth > 0, place.ground_class, SKY).astype(np.uint8)
    if place.disc is not None:
        y = float(level) if place.disc_on_horizon else float(rng.uniform(0.12, 0.26))
        _paint_disc(image, axis, (float(rng.uniform(0.15, 0.85)), y), place)
    if place.strip is not None:
        rows = (axis > level - 0.12) & (axis < level + 0.1)
        image[rows] = place.strip
        semantics[rows[:, None] & (depth <= 0)] = WATER
    ground = _ramp(place.ground, (axis - level) / (np.float32(1) - level))[:, None]
    image += (ground - image) * np.clip(depth + 0.5, 0, 1)[..., None]
    if place.specks:
        _paint_specks(image, semantics, place, rng)
    return image, semantics


def pixel_centers(size: int) -> Canvas:
    """Return the centres of a row of pixels as fractions of the image, shape (size,)."""
    return np.linspace(0.5 / size, 1 - 0.5 / size, size, dtype=np.float32)


def _hills(axis: Canvas, rng: np.random.Generator) -> Canvas:
    """Return a smooth random profile in about -1..1."""
    phases = rng.uniform(0, 2 * np.pi, size=2)
    turns = rng.uniform(0.6, 1.4)
    first = 0.7 * np.sin(2 * np.pi * turns * axis + phases[0])
    return np.asarray(first + 0.3 * np.sin(14 * axis + phases[1]), dtype=np.float32)


def _ramp(ends: tuple[RGB, RGB], t: Canvas) -> Canvas:
    """Return the colours (N, 3) between two ends at `t` (N,), clipped to 0..1."""
    first, last = (np.array(end, dtype=np.float32) for end in ends)
    return first + (last - first) * np.clip(t, 0, 1)[:, None]


def _paint_disc(image: Canvas, axis: Canvas, center: tuple[float, float], place: Place) -> None:
    distance = np.hypot(axis - center[0], axis[:, None] - center[1]) - place.disc_radius
    cover = np.clip(0.5 - distance * len(axis), 0, 1)[..., None]
    image += (np.array(place.disc, dtype=np.float32) - image) * cover


def _paint_specks(
    image: Canvas, semantics: Classes, place: Place, rng: np.random.Generator
) -> None:
    """Paint dots over one region; their size depends on that of the image, their number not."""
    size = len(image)
    side = max(1, size // 64)
    corners = (rng.random((40, 2)) * (size - side)).astype(np.intp)
    tints = rng.integers(len(place.specks), size=40)
    width = side * (3 if place.specks_in == WATER else 1)
    for (row, column), tint in zip(corners, tints, strict=True):
        if semantics[row, column] == place.specks_in:
            image[row : row + side, column : column + width] = place.specks[tint]
