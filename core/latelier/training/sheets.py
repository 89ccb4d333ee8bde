"""Sample sheets: grids of pictures that show how a run is doing."""

from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from latelier.io.atomic import atomic_file


def pictures(images: Tensor) -> list[Image.Image]:
    """Return images (B, 3, H, W) in [-1, 1] as pictures; values outside are clipped."""
    bytes_ = ((images.float().clamp(-1, 1) + 1) * 127.5).round().byte()
    rows = bytes_.permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(np.ascontiguousarray(row)) for row in rows]


def grid(rows: list[list[Image.Image]], zoom: int = 1, gap: int = 4) -> Image.Image:
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
    with atomic_file(path) as temporary:
        sheet.save(temporary, "PNG")
