"""Checks of the shapes of images and latents."""

from torch import Tensor

from latelier.contracts.errors import InvalidInputError


def check_images(images: Tensor, channels: int, f: int) -> None:
    """Check that images are (B, channels, H, W) with sides that are multiples of f.

    Raises:
        InvalidInputError: names the nearest sizes that would fit.
    """
    if images.ndim != 4 or images.shape[1] != channels:
        raise InvalidInputError(
            f"images for this first stage are (B, {channels}, H, W), not {tuple(images.shape)}"
        )
    height, width = images.shape[2:]
    if height % f or width % f or not height or not width:
        smaller = "x".join(str(max(f, side // f * f)) for side in (width, height))
        larger = "x".join(str(max(f, -(-side // f) * f)) for side in (width, height))
        nearest = smaller if smaller == larger else f"{smaller} or {larger}"
        raise InvalidInputError(
            f"image sides must be multiples of {f} for this first stage, "
            f"not {width}x{height} (width x height); nearest: {nearest}"
        )


def check_latents(latents: Tensor, channels: int) -> None:
    """Check that latents are (B, channels, h, w).

    Raises:
        InvalidInputError: names the expected and the actual shape.
    """
    if latents.ndim != 4 or latents.shape[1] != channels or not latents.shape[2:].numel():
        raise InvalidInputError(
            f"latents of this first stage are (B, {channels}, h, w), not {tuple(latents.shape)}"
        )
