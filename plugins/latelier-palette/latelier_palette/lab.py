"""Converts between colours as text, sRGB and CIE L*a*b* under D65."""

from collections.abc import Sequence

import torch
from kornia.color import lab_to_rgb, rgb_to_lab
from torch import Tensor


def lab_from_hex(colors: Sequence[str]) -> Tensor:
    """Return Lab (N, 3), L in 0..100, of colours '#rrggbb'."""
    levels = [list(bytes.fromhex(color.removeprefix("#"))) for color in colors]
    return lab_from_rgb(torch.tensor(levels, dtype=torch.float32).view(-1, 3) / 255)


def lab_from_rgb(rgb: Tensor) -> Tensor:
    """Return Lab (N, 3) of sRGB (N, 3) in 0..1."""
    return rgb_to_lab(rgb.T[None, :, None])[0, :, 0].T  # (N, 3) as an image of one row


def hex_from_lab(lab: Tensor) -> list[str]:
    """Return the nearest colours '#rrggbb' of Lab (N, 3)."""
    rgb = lab_to_rgb(lab.T[None, :, None])[0, :, 0].T.clamp(0, 1)
    return [f"#{bytes(row).hex()}" for row in (rgb * 255).round().int().tolist()]
