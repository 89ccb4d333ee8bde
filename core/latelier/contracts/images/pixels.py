"""Between the levels of pictures, 0 to 255, and the range of models, -1 to 1."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

_HALF = 127.5
"""Half of the range of levels: level 0 is -1, level 255 is 1."""


def normalize(levels: "Tensor") -> "Tensor":
    """Return levels 0..255 as float32 in [-1, 1]."""
    return levels.float() / _HALF - 1


def denormalize(images: "Tensor") -> "Tensor":
    """Return images in [-1, 1] as levels 0..255, whole float32; values outside are clipped."""
    return ((images.float().clamp(-1, 1) + 1) * _HALF).round()


def pil_to_tensor(image: "Image") -> "Tensor":
    """Return an RGB picture as float32 (3, H, W) in [-1, 1]."""
    import numpy as np
    import torch

    levels = torch.tensor(np.asarray(image), dtype=torch.float32)
    return normalize(levels.permute(2, 0, 1).contiguous())  # (H, W, 3) -> (3, H, W)


def tensor_to_pil(images: "Tensor") -> "list[Image]":
    """Return images (B, 3, H, W) in [-1, 1] as RGB pictures; values outside are clipped."""
    import PIL.Image
    import torch

    levels = denormalize(images).to(torch.uint8)
    rows = levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()  # (B, 3, H, W) -> (B, H, W, 3)
    return [PIL.Image.fromarray(row) for row in rows]
