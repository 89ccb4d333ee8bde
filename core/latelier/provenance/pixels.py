"""The hash by which the pixels of a picture are known again, whatever its file."""

import hashlib

from PIL import Image


def pixel_hash(image: Image.Image) -> str:
    """Return the SHA-256 of an image's RGB bytes and size."""
    head = f"{image.width}x{image.height}:".encode()
    return hashlib.sha256(head + image.convert("RGB").tobytes()).hexdigest()
