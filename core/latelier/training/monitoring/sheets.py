"""Sample sheets: grids of images that show the progress of a training."""

from pathlib import Path

from PIL import Image

from latelier.io.atomic import atomic_file


def split_rows(pictures: list[Image.Image], columns: int) -> list[list[Image.Image]]:
    """Split pictures into rows of `columns`; the last may be shorter."""
    return [pictures[first : first + columns] for first in range(0, len(pictures), columns)]


def tile_pairs(
    above: list[Image.Image], below: list[Image.Image], columns: int, zoom: int = 1
) -> Image.Image:
    """Return rows of pictures, each row above that of their counterparts."""
    pairs = zip(split_rows(above, columns), split_rows(below, columns), strict=True)
    return tile_images([row for pair in pairs for row in pair], zoom)


def tile_images(rows: list[list[Image.Image]], zoom: int = 1, gap: int = 4) -> Image.Image:
    """Return rows of pictures of one size on white, each enlarged `zoom` times."""
    width, height = (side * zoom for side in rows[0][0].size)
    columns = max(len(row) for row in rows)
    sheet = Image.new(
        "RGB", (columns * (width + gap) + gap, len(rows) * (height + gap) + gap), "white"
    )
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            enlarged = picture.resize((width, height), Image.Resampling.NEAREST)
            sheet.paste(enlarged, (gap + x * (width + gap), gap + y * (height + gap)))
    return sheet


def save_sheet(sheet: Image.Image, path: Path) -> None:
    """Write a sheet as PNG, atomically."""
    with atomic_file(path) as partial:
        sheet.save(partial, "PNG")
