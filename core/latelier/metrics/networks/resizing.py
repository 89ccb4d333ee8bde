"""Rules of resizing pictures before a feature network. Features, and FID with them, depend on it.

All take levels 0..255 and return float32 levels, which are not rounded.
"""

import torch
from torch import Tensor
from torch.nn.functional import interpolate


def resize_tf1_bilinear(levels: Tensor, height: int, width: int) -> Tensor:
    """Return pictures resized as `tf.image.resize_bilinear` of TensorFlow 1 does it.

    Pixel i of the result is at i * size / new size, without half a pixel's offset, and is a blend
    of its two neighbours. Nothing is antialiased.

    Args:
        levels: (B, C, H, W), of any type.
        height: of the result.
        width: of the result.
    """
    top, bottom, down = _neighbors(levels.shape[2], height, levels.device)
    left, right, across = _neighbors(levels.shape[3], width, levels.device)
    levels = levels.float()
    columns = torch.lerp(levels[..., left], levels[..., right], across)
    return torch.lerp(columns[:, :, top], columns[:, :, bottom], down[:, None])


def resize_bicubic_antialias(levels: Tensor, height: int, width: int) -> Tensor:
    """Return pictures resized as Pillow resizes float channels: bicubic with a = -0.5, antialiased.

    It is the rule of clean-fid (arXiv:2104.11222). Overshoots beyond 0..255 are clipped.

    Args:
        levels: (B, C, H, W), of any type.
        height: of the result.
        width: of the result.
    """
    resized = interpolate(
        levels.float(), (height, width), mode="bicubic", align_corners=False, antialias=True
    )
    return resized.clamp(0, 255)


def _neighbors(before: int, after: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return the neighbours of each new position, and how far it is from the first one, 0..1."""
    places = torch.arange(after, device=device, dtype=torch.float32) * (before / after)
    lower = places.long()
    return lower, (lower + 1).clamp(max=before - 1), places - lower
