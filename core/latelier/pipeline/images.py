"""Between image tensors and pictures."""

import hashlib

import torch
from PIL import Image
from torch import Tensor


def to_images(images: Tensor) -> list[Image.Image]:
    """Return pictures for a tensor (B, 3, H, W) in [-1, 1]; values beyond are clipped."""
    levels = ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    arrays = levels.permute(0, 2, 3, 1).cpu().numpy()  # (B, 3, H, W) -> (B, H, W, 3)
    return [Image.fromarray(array) for array in arrays]


def pixel_hash(image: Image.Image) -> str:
    """Return the SHA-256 of an image's RGB bytes and size."""
    head = f"{image.width}x{image.height}:".encode()
    return hashlib.sha256(head + image.convert("RGB").tobytes()).hexdigest()
