"""Other styles of an artwork: colours, filters and proportions."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter, ImageOps

from latelier.data.emoji_scenes.artwork import TILE, Artwork, make_artwork
from latelier.data.emoji_scenes.palette import PALETTE, Color, distinct_colors

Style: TypeAlias = Callable[[Image.Image, np.random.Generator], Image.Image]
"""Returns a tile of mode "RGBA" for another one."""

Matrix: TypeAlias = NDArray[np.floating]

_LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in luma, Rec. ITU-R BT.601."""

_STRETCHED = 0.3
_MIRRORED = 0.5


def restyle(artwork: Artwork, rng: np.random.Generator) -> Artwork:
    """Return the artwork in a random style, perhaps stretched and mirrored."""
    tile = artwork.tile.convert("RGBA")
    styles = list(STYLES.values())
    tile = styles[rng.integers(len(styles))](tile, rng)
    if rng.random() < _STRETCHED:
        tile = _stretch(tile, rng)
    if rng.random() < _MIRRORED:
        tile = ImageOps.mirror(tile)
    return make_artwork(tile)


def _recolor(tile: Image.Image, matrix: Matrix, offset: float) -> Image.Image:
    """Return the tile with `matrix` @ rgb + `offset`; alpha stays."""
    rows = np.concatenate([matrix, np.full((3, 1), offset)], axis=1)
    colors = tile.convert("RGB").convert("RGB", tuple(rows.ravel().tolist()))
    colors.putalpha(tile.getchannel("A"))
    return colors


def _hue_matrix(angle: float, saturation: float) -> Matrix:
    """Return the matrix that turns the hue and scales the saturation at constant luma."""
    gray = np.tile(_LUMA, (3, 1))
    # Turns the plane of equal luma about the gray axis: Rodrigues' formula.
    axis = np.ones(3) / np.sqrt(3)
    skew = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turn = np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew
    chroma = np.eye(3) - gray
    return gray + saturation * (chroma @ turn @ chroma)


def _shift_hue(tile: Image.Image, rng: np.random.Generator) -> Image.Image:
    angle, saturation = rng.uniform(np.pi / 6, 11 * np.pi / 6), rng.uniform(0.7, 1.5)
    return _recolor(tile, _hue_matrix(angle, saturation), 0.0)


def _shift_lightness(tile: Image.Image, rng: np.random.Generator) -> Image.Image:
    gain = rng.uniform(0.55, 0.85)
    offset = rng.uniform(0, 255 * (1 - gain))
    return _recolor(tile, gain * _hue_matrix(0.0, rng.uniform(0.4, 1.6)), offset)


def _swap_channels(tile: Image.Image, rng: np.random.Generator) -> Image.Image:
    red, green, blue, alpha = tile.split()
    orders = ((blue, red, green), (green, blue, red), (green, red, blue), (blue, green, red))
    return Image.merge("RGBA", (*orders[rng.integers(len(orders))], alpha))


def _gray(tile: Image.Image, rng: np.random.Generator) -> Image.Image:
    return _recolor(tile, rng.uniform(0.7, 1.0) * _hue_matrix(0.0, 0.0), rng.uniform(0, 50))


def _invert_lightness(tile: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the tile with 255 - luma; hue stays, or turns."""
    angle = rng.uniform(0, 2 * np.pi) if rng.random() < 0.5 else 0.0
    return _recolor(tile, _hue_matrix(angle, 1.0) - 2 * np.tile(_LUMA, (3, 1)), 255.0)


def _posterize(tile: Image.Image, rng: np.random.Generator) -> Image.Image:
    levels = int(rng.integers(2, 5))
    steps = np.round(np.arange(256) / 255 * (levels - 1)) * 255 / (levels - 1)
    table = steps.astype(int).tolist()
    return tile.point(table * 3 + list(range(256)))


def _two_tones(tile: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the lightness of the tile as a ramp of two or three colours."""
    first, last = _color_pair(rng)
    luma = ImageOps.autocontrast(tile.convert("L"), mask=_solid(tile), cutoff=2)
    colors = ImageOps.colorize(luma, first.rgb, last.rgb)
    colors.putalpha(tile.getchannel("A"))
    return colors


def _flat(tile: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the silhouette in one colour."""
    flat = Image.new("RGB", tile.size, PALETTE[rng.integers(len(PALETTE))].rgb)
    flat.putalpha(tile.getchannel("A"))
    return flat


def _sticker(tile: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the tile inside a border of one colour."""
    border = float(rng.uniform(2.5, 6))
    inner = _shrink(tile, border + 1)
    rim = _grow(inner.getchannel("A"), border)
    color = PALETTE[rng.integers(len(PALETTE))].rgb
    sticker = Image.new("RGB", tile.size, color)
    sticker.paste(inner.convert("RGB"), mask=inner.getchannel("A"))
    sticker.putalpha(rim)
    return sticker


def _silhouette(tile: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the silhouette in one colour inside a border of another."""
    first, last = _color_pair(rng)
    border = float(rng.uniform(2.5, 6))
    inner = _shrink(tile, border + 1).getchannel("A")
    silhouette = Image.new("RGB", tile.size, first.rgb)
    silhouette.paste(last.rgb, mask=inner)
    silhouette.putalpha(_grow(inner, border))
    return silhouette


def _lines(tile: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the outlines of the tile's areas as lines on a plain ground."""
    line, ground = _color_pair(rng)
    alpha = tile.getchannel("A")
    flat = Image.new("RGB", tile.size, "gray")
    flat.paste(tile.convert("RGB"), mask=alpha)
    luma = flat.convert("L").filter(ImageFilter.GaussianBlur(0.8))
    highest, lowest = luma.filter(ImageFilter.MaxFilter(3)), luma.filter(ImageFilter.MinFilter(3))
    thickness = float(rng.uniform(1, 2.5))
    edges = ImageChops.subtract(highest, lowest).point(_ramp(16, 60))
    edges = edges.filter(ImageFilter.BoxBlur(thickness / 2)).point(_ramp(60, 170))
    rim = alpha.filter(ImageFilter.BoxBlur(thickness)).point(_ramp(250, 150))
    colors = Image.new("RGB", tile.size, ground.rgb)
    colors.paste(line.rgb, mask=ImageChops.lighter(edges, rim))
    colors.putalpha(alpha)
    return colors


def _cut_paper(tile: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the tile blurred and sharpened again: areas without fine detail."""
    blur = ImageFilter.GaussianBlur(rng.uniform(1, 2))
    soft = tile.convert("RGBa").filter(blur).convert("RGBA")
    alpha = soft.getchannel("A").point(_ramp(80, 176))
    colors = soft.convert("RGB").filter(ImageFilter.UnsharpMask(3, 200, 0))
    colors.putalpha(alpha)
    return _posterize(colors, rng) if rng.random() < 0.5 else colors


def _shade(tile: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the tile in light of one colour from one side."""
    color = np.array(PALETTE[rng.integers(len(PALETTE))].rgb) * 0.5
    axis = np.linspace(-0.5, 0.5, TILE)
    turn = rng.uniform(0, 2 * np.pi)
    share = np.clip(0.5 + axis * np.cos(turn) + axis[:, None] * np.sin(turn), 0, 1) * 0.75
    veil = Image.new("RGB", tile.size, tuple(color.astype(int).tolist()))
    colors = tile.convert("RGB")
    colors.paste(veil, mask=Image.fromarray((share * 255).astype(np.uint8)))
    colors.putalpha(tile.getchannel("A"))
    return colors


STYLES: Mapping[str, Style] = {
    "hue": _shift_hue,
    "lightness": _shift_lightness,
    "channels": _swap_channels,
    "gray": _gray,
    "inverted": _invert_lightness,
    "posterized": _posterize,
    "two tones": _two_tones,
    "flat": _flat,
    "sticker": _sticker,
    "silhouette": _silhouette,
    "lines": _lines,
    "cut paper": _cut_paper,
    "shaded": _shade,
}
"""Styles by name."""


def _color_pair(rng: np.random.Generator) -> tuple[Color, Color]:
    """Return two colours that differ plainly, the darker one first in half of the cases."""
    first = PALETTE[rng.integers(len(PALETTE))]
    others = distinct_colors(first, 50)
    return first, others[rng.integers(len(others))]


def _solid(tile: Image.Image) -> Image.Image:
    return tile.getchannel("A").point([0] * 128 + [255] * 128)


def _ramp(low: int, high: int) -> list[int]:
    """Return a table that maps `low` to 0 and `high`, which may be lower, to 255."""
    values = (np.arange(256) - low) * 255 / (high - low)
    table: list[int] = np.clip(values, 0, 255).astype(int).tolist()
    return table


def _grow(alpha: Image.Image, border: float) -> Image.Image:
    """Return the coverage `alpha`, wider by about `border` pixels, with soft edges."""
    return alpha.filter(ImageFilter.GaussianBlur(border / 1.4)).point(_ramp(12, 40))


def _shrink(tile: Image.Image, margin: float) -> Image.Image:
    """Return the tile, smaller by a margin on each side."""
    side = TILE - 2 * round(margin)
    return _resize(tile, side, side)


def _stretch(tile: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the tile, narrower or lower."""
    sides = [TILE, round(TILE * rng.uniform(0.6, 0.85))]
    width, height = sides if rng.random() < 0.5 else sides[::-1]
    return _resize(tile, width, height)


def _resize(tile: Image.Image, width: int, height: int) -> Image.Image:
    """Return the tile with its content scaled to a smaller size, in the middle."""
    small = tile.convert("RGBa").resize((width, height), Image.Resampling.BICUBIC).convert("RGBA")
    resized = Image.new("RGBA", tile.size)
    resized.paste(small, ((TILE - width) // 2, (TILE - height) // 2))
    return resized
