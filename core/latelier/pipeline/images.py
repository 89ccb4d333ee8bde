"""Between image tensors and pictures."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from latelier.kernel.errors import InvalidInputError
from latelier.kernel.writing import whole
from latelier.pipeline.large_pictures import without_large_pictures

PNG_KEY = "latelier"


def to_images(images: Tensor) -> list[Image.Image]:
    """Return pictures for a tensor (B, 3, H, W) in [-1, 1]; values beyond are clipped."""
    levels = ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    arrays = levels.permute(0, 2, 3, 1).cpu().numpy()  # (B, 3, H, W) -> (B, H, W, 3)
    return [Image.fromarray(array) for array in arrays]


def pixel_hash(image: Image.Image) -> str:
    """Return the SHA-256 of an image's RGB bytes and size."""
    head = f"{image.width}x{image.height}:".encode()
    return hashlib.sha256(head + image.convert("RGB").tobytes()).hexdigest()


def write_png(path: Path, image: Image.Image, provenance: dict[str, Any] | None) -> None:
    """Write a PNG whole, with its provenance as JSON in an iTXt chunk (see `large_pictures`)."""
    info = PngInfo()
    if provenance is not None:
        stored = without_large_pictures(provenance)
        info.add_itxt(PNG_KEY, json.dumps(stored, ensure_ascii=False))
    with whole(path) as beside:
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
