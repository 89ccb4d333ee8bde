"""Helpers of the conditioners that fill the spatial slot."""

import torch
from torch import Tensor, nn

from latelier.contracts.components import PictureGeometry
from latelier.nn.stored_weights import find_compute_dtype


def place_of_first_stage(geometry: PictureGeometry) -> tuple[torch.device, torch.dtype]:
    """Return the device of the first stage, and the precision that it computes in.

    They are the CPU and float32 for one without weights (pixel space).
    """
    module = geometry.first_stage
    if not isinstance(module, nn.Module):
        return torch.device("cpu"), torch.float32
    device = next((each.device for each in module.parameters()), torch.device("cpu"))
    return device, find_compute_dtype(module)


def zero_map(rows: int, channels: int, geometry: PictureGeometry) -> Tensor:
    """Return zeros (rows, channels, h, w) of latent size, on the device of the first stage."""
    device, _ = place_of_first_stage(geometry)
    return torch.zeros(rows, channels, *geometry.latent_size, device=device)
