"""Helpers of the conditioners that work on latents, or fill the spatial slot."""

import torch
from torch import Tensor, nn

from latelier.contracts.components import PictureGeometry
from latelier.contracts.errors import CompatibilityError
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


def encode_images(images: Tensor, geometry: PictureGeometry, channels: int, what: str) -> Tensor:
    """Return the latents (B, C, h, w) of images (B, 3, H, W) in [-1, 1], without gradients.

    Args:
        images: of any float precision.
        geometry: with the first stage, which encodes in its own precision.
        channels: C, which the first stage must have.
        what: the images are, in the plural, for errors.

    Raises:
        CompatibilityError: `geometry` has no first stage, or one with other latent channels.
    """
    if geometry.first_stage is None:
        raise CompatibilityError(f"{what} are encoded, but the geometry has no first stage")
    _, dtype = place_of_first_stage(geometry)
    with torch.no_grad():
        latents = geometry.first_stage.encode(images.to(dtype))
    if latents.shape[1] != channels:
        raise CompatibilityError(
            f"the first stage gives latents of {latents.shape[1]} channels for {what}, "
            f"not latent_channels={channels}"
        )
    return latents


def zero_map(rows: int, channels: int, geometry: PictureGeometry) -> Tensor:
    """Return zeros (rows, channels, h, w) of latent size, on the device of the first stage."""
    device, _ = place_of_first_stage(geometry)
    return torch.zeros(rows, channels, *geometry.latent_size, device=device)
