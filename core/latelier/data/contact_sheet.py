"""Contact sheets: images in rows, each with a caption."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

_PAPER = "white"
_INK = (60, 60, 66)
_LINES = 4


def draw_contact_sheet(
    images: Sequence[Image.Image],
    captions: Sequence[str] | None = None,
    columns: int = 8,
    tile: int = 128,
) -> Image.Image:
    """Return an RGB image that shows all of `images`, row by row.

    Args:
        images: of any size and mode; at least one.
        captions: one for each image. They are wrapped, and shortened to four lines.
        columns: images in a row.
        tile: side in pixels of the square that an image is scaled to, keeping its proportions.

    Raises:
        ValueError: `images` is empty, `captions` has another length, or `columns` or `tile` is
            too small.
    """
    if not images:
        raise ValueError("images is empty, but a contact sheet needs at least one")
    if captions is not None and len(captions) != len(images):
        raise ValueError(
            f"captions has {len(captions)} entries, but there are {len(images)} images"
        )
    if columns < 1 or tile < 8:
        raise ValueError(f"columns is {columns} and tile {tile}, but they must be >= 1 and >= 8")
    columns = min(columns, len(images))
    gap = max(4, tile // 12)
    points = max(9, tile // 11)
    font = ImageFont.load_default(size=points)
    line_height = round(points * 1.25)
    texts = [_wrap(caption, font, tile) for caption in captions or ()]
    text_height = line_height * max(map(len, texts), default=0)
    row_height = tile + gap + (text_height + gap // 2 if texts else 0)
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (columns * (tile + gap) + gap, rows * row_height + gap), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for i, image in enumerate(images):
        left, top = gap + i % columns * (tile + gap), gap + i // columns * row_height
        fitted = _fit(image, tile)
        corner = (left + (tile - fitted.width) // 2, top + (tile - fitted.height) // 2)
        sheet.paste(fitted, corner)
        for number, line in enumerate(texts[i] if texts else ()):
            draw.text((left, top + tile + 2 + number * line_height), line, fill=_INK, font=font)
    return sheet


def _fit(image: Image.Image, tile: int) -> Image.Image:
    """Return the image scaled to `tile` pixels; whole factors keep its pixels crisp."""
    factor = tile / max(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    crisp = factor >= 1 and factor == int(factor)
    resample = Image.Resampling.NEAREST if crisp else Image.Resampling.LANCZOS
    return image.convert("RGB").resize(size, resample)


def _wrap(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """Return the text in at most four lines; only a long single word exceeds `width` pixels."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) <= _LINES:
        return lines
    last = lines[_LINES - 1]
    while last and font.getlength(last + "…") > width:
        last = last[:-1]
    return [*lines[: _LINES - 1], last.rstrip() + "…"]
