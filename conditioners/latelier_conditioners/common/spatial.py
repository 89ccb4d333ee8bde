"""Helpers of the conditioners that fill the spatial slot."""

import torch
from torch import Tensor, nn

from latelier.contracts.components import PictureGeometry


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
