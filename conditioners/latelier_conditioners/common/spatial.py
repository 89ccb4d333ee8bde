"""Helpers of the conditioners that fill the spatial slot."""

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor, nn

from latelier.contracts.components import PictureGeometry


def image_tensor(image: Image) -> Tensor:
    """Return an RGB image as float32 (3, H, W) in [-1, 1]."""
    levels = torch.tensor(np.asarray(image), dtype=torch.float32)
    return levels.permute(2, 0, 1).contiguous() / 127.5 - 1  # (H, W, 3) -> (3, H, W)


def first_stage_weight(geometry: PictureGeometry) -> Tensor:
    """Return a weight of the first stage, as the reference for device and dtype.

    A first stage without weights (pixel space) gives an empty float32 tensor on the CPU.
    """
    module = geometry.first_stage
    weights = module.parameters() if isinstance(module, nn.Module) else iter(())
    return next(weights, torch.empty(0))


def zero_map(rows: int, channels: int, geometry: PictureGeometry) -> Tensor:
    """Return zeros (rows, channels, h, w) of latent size, on the device of the first stage."""
    device = first_stage_weight(geometry).device
    return torch.zeros(rows, channels, *geometry.latent_size, device=device)
