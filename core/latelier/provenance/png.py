"""Between image tensors and pictures."""

import json
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from latelier.contracts.errors import InvalidInputError
from latelier.io.atomic import atomic_file
from latelier.provenance.large_pictures import without_large_pictures

PNG_KEY = "latelier"


def write_png(
    path: Path, image: Image.Image, provenance: dict[str, Any] | None, *, replace: bool = True
) -> None:
    """Write a PNG atomically, its provenance as JSON in an iTXt chunk (see `large_pictures`).

    Raises:
        FileExistsError: the file exists and `replace` is False.
    """
    info = PngInfo()
    if provenance is not None:
        stored = without_large_pictures(provenance)
        info.add_itxt(PNG_KEY, json.dumps(stored, ensure_ascii=False))
    with atomic_file(path, replace=replace) as beside:
        image.save(beside, "PNG", pnginfo=info)


def read_provenance(path: Path) -> tuple[Image.Image, dict[str, Any]]:
    """Return a picture and its provenance.

    Raises:
        InvalidInputError: the file is missing, no picture, or carries no provenance.
    """
    try:
        image = Image.open(path)
        image.load()
    except FileNotFoundError:
        raise InvalidInputError(f"{path}: there is no such file") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InvalidInputError(f"{path}: no picture can be read from it: {error}") from None
    text = image.info.get(PNG_KEY)
    try:
        provenance = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        provenance = None
    if not isinstance(provenance, dict):
        raise InvalidInputError(
            f"{path}: carries no provenance of latelier: it was not made by it, or was saved again"
        )
    return image.convert("RGB"), provenance
