"""Drawings by code: a shape, a letter or a digit in one or two colours, with or without outline."""

import functools
import string
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFont

from latelier.data.emoji_scenes.artwork import TILE, Artwork, make_artwork
from latelier.data.emoji_scenes.palette import PALETTE, distinct_colors
from latelier.data.emoji_scenes.variants.shapes import SHAPES, Shape, draw_shape

CHARACTERS = string.ascii_letters + string.digits
"""Letters and digits that drawings show."""

RGB = tuple[int, int, int]

_FINE = 3
"""Shapes are drawn at this multiple of a tile's side and averaged."""

_SIDE = TILE * _FINE
_RADIUS = 0.46 * _SIDE
_CHARACTER_SHARE = 0.25
_OUTLINED = 0.5
_USUAL_LINES = ("black", "navy", "white")


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawing by code.

    Attributes:
        name: what it shows, such as "star" or "letter B".
        artwork: the drawing.
    """

    name: str
    artwork: Artwork


@dataclass(frozen=True, slots=True)
class _Masks:
    """Coverage of a drawing, images of mode "L" with `_SIDE` pixels a side.

    Attributes:
        fill: the inside.
        line: the outline, which may lie on the inside; None: no outline.
    """

    fill: Image.Image
    line: Image.Image | None


def make_drawing(rng: np.random.Generator) -> Drawing:
    """Return a random drawing."""
    line = int(rng.uniform(0.025, 0.07) * _SIDE) if rng.random() < _OUTLINED else 0
    if rng.random() < _CHARACTER_SHARE:
        character = CHARACTERS[rng.integers(len(CHARACTERS))]
        name = f"{'digit' if character.isdigit() else 'letter'} {character}"
        masks = _draw_character(character, line, rng)
    else:
        name = list(SHAPES)[rng.integers(len(SHAPES))]
        masks = _draw_outline(draw_shape(name, rng), line)
    colors = _choose_colors(rng)
    return Drawing(name, make_artwork(_color_masks(masks, colors, rng)))


def _draw_outline(shape: Shape, line: int) -> _Masks:
    fill = Image.new("L", (_SIDE, _SIDE))
    _fill_shape(fill, shape, _RADIUS, (_SIDE / 2, _SIDE / 2))
    if not line:
        return _Masks(fill, None)
    edge = Image.new("L", fill.size)
    draw = ImageDraw.Draw(edge)
    for polygon in (shape.outer, *shape.holes):
        draw.polygon(_pixels(polygon, _RADIUS, (_SIDE / 2, _SIDE / 2)), outline=255, width=line)
    return _Masks(fill, edge)


def _fill_shape(
    mask: Image.Image, shape: Shape, radius: float, center: tuple[float, float]
) -> None:
    draw = ImageDraw.Draw(mask)
    draw.polygon(_pixels(shape.outer, radius, center), fill=255)
    for hole in shape.holes:
        draw.polygon(_pixels(hole, radius, center), fill=0)


def _pixels(points: np.ndarray, radius: float, center: tuple[float, float]) -> list[float]:
    """Return corners as flat pixel coordinates."""
    flat: list[float] = (points * radius + center).ravel().tolist()
    return flat


def _draw_character(character: str, line: int, rng: np.random.Generator) -> _Masks:
    weight = int(rng.uniform(0.01, 0.05) * _SIDE)
    slant = float(rng.uniform(0, 0.3)) if rng.random() < 0.3 else 0.0
    font = _fitting_font(character, 2 * (weight + line), slant)
    left, top, right, bottom = font.getbbox(character, anchor="ls")
    origin = ((_SIDE - left - right) / 2, (_SIDE - top - bottom) / 2)
    masks = []
    for stroke in (weight, weight + line):
        mask = Image.new("L", (_SIDE, _SIDE))
        draw = ImageDraw.Draw(mask)
        draw.text(origin, character, fill=255, font=font, anchor="ls", stroke_width=stroke)
        if slant:
            matrix = (1, slant, -slant * _SIDE / 2, 0, 1, 0)
            affine, bilinear = Image.Transform.AFFINE, Image.Resampling.BILINEAR
            mask = mask.transform(mask.size, affine, matrix, bilinear)
        masks.append(mask)
    inner, outer = masks
    return _Masks(outer, ImageChops.subtract(outer, inner) if line else None)


def _fitting_font(character: str, strokes: int, slant: float) -> ImageFont.FreeTypeFont:
    """Return the largest font in which a slanted character and its strokes fit into a tile."""
    left, top, right, bottom = _font(_SIDE).getbbox(character)
    height = bottom - top
    room = (2 * _RADIUS - strokes * (1 + slant)) / max(right - left + slant * height, height)
    return _font(int(min(room, 1.0) * _SIDE) // 16 * 16)


@functools.cache
def _font(points: int) -> ImageFont.FreeTypeFont:
    """Return the font that Pillow brings along."""
    font = ImageFont.load_default(points)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise OSError("Pillow has no FreeType, which drawn letters need; install its binary wheel")
    return font


def _choose_colors(rng: np.random.Generator) -> tuple[RGB, RGB, RGB]:
    """Return colours of fill, decoration and outline; neighbours differ plainly."""
    first = PALETTE[rng.integers(len(PALETTE))]
    others = distinct_colors(first, 45)
    second = others[rng.integers(len(others))]
    usual = tuple(color for color in others if color.name in _USUAL_LINES)
    lines = usual if rng.random() < 0.6 else others
    edge = lines[rng.integers(len(lines))]
    return first.rgb, second.rgb, edge.rgb


def _color_masks(
    masks: _Masks, colors: tuple[RGB, RGB, RGB], rng: np.random.Generator
) -> Image.Image:
    """Return the tile, mode "RGBA"."""
    first, second, edge = colors
    body = Image.new("RGB", (TILE, TILE), first)
    _decorate(body, second, rng)
    fill = masks.fill.reduce(_FINE)
    if masks.line is None:
        body.putalpha(fill)
        return body
    # The outline lies below, so that no rim of the fill shows around it.
    inside = ImageChops.subtract(masks.fill, masks.line).reduce(_FINE)
    tile = Image.new("RGB", (TILE, TILE), edge)
    tile.paste(body, mask=inside)
    tile.putalpha(ImageChops.lighter(masks.fill, masks.line).reduce(_FINE))
    return tile


def _decorate(body: Image.Image, color: RGB, rng: np.random.Generator) -> None:
    """Paint a random pattern over a plain body, or none."""
    kind = rng.random()
    if kind < 0.4:
        return
    if kind < 0.65:
        name = list(SHAPES)[rng.integers(len(SHAPES))]
        radius = float(rng.uniform(0.16, 0.28)) * _SIDE
        center = (_SIDE / 2 + rng.uniform(-0.06, 0.06) * _SIDE, _SIDE * rng.uniform(0.45, 0.6))
        mask = Image.new("L", (_SIDE, _SIDE))
        _fill_shape(mask, draw_shape(name, rng), radius, center)
        body.paste(color, mask=mask.reduce(_FINE))
        return
    body.paste(color, mask=_pattern(kind, rng))


def _pattern(kind: float, rng: np.random.Generator) -> Image.Image:
    """Return the share of the second colour in a pattern, mode "L"."""
    axis = np.arange(TILE, dtype=np.float32) - (TILE - 1) / 2
    turn = float(rng.uniform(0, np.pi))
    along = axis * np.cos(turn) + axis[:, None] * np.sin(turn)
    across = axis[:, None] * np.cos(turn) - axis * np.sin(turn)
    if kind < 0.75:  # two halves
        share = along + 0.5
    elif kind < 0.85:  # a gradient
        share = along / TILE + 0.5
    elif kind < 0.93:  # stripes
        period = float(rng.uniform(16, 40))
        share = np.abs((along + 1e4) % period - period / 2) - period / 4 + 0.5
    else:  # dots
        period = float(rng.uniform(16, 32))
        u, v = ((each + 1e4) % period - period / 2 for each in (along, across))
        share = 0.3 * period - np.hypot(u, v) + 0.5
    return Image.fromarray((np.clip(share, 0, 1) * 255).astype(np.uint8))
