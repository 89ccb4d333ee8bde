"""Image-to-image (SDEdit, arXiv:2108.01073): the initial images, and the sigmas of the run."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.images.modes import WHITE
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.pipeline.request import Request, Size

STRENGTH = 0.8
"""The default strength without a mask; with one it is 1."""

_BLACK_OR_WHITE = [0 if level < WHITE else 255 for level in range(256)]


@dataclass(frozen=True, eq=False)
class InitImage:
    """The initial images, one for each row or one for all.

    Attributes:
        init_image: RGB.
        strength: in (0, 1]; see `last_steps`.
        mask: of mode L and of the images' sizes, white where the image is repainted; None if the
            whole image may change.
    """

    init_image: Sequence[Image.Image]
    strength: float
    mask: Sequence[Image.Image] | None = None

    @property
    def rows(self) -> int:
        """Number of rows; 1 goes with any number."""
        return max(len(self.init_image), len(self.mask or ()))

    def resize(self, size: Size) -> "InitImage":
        """Return it with images and masks of `size` (width, height)."""
        images = [
            image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)
            for image in self.init_image
        ]
        mask = None if self.mask is None else [_resize_mask(each, size) for each in self.mask]
        return InitImage(images, self.strength, mask)


def read_init_image(request: Request, rows: int) -> InitImage | None:
    """Return the initial images of a request, or None for pure noise.

    Args:
        request: the request.
        rows: of its inputs.

    Raises:
        InvalidInputError: a strength or mask has no initial image, numbers of rows or sizes differ,
            or a mask has no white pixels.
    """
    _check_required_options(request)
    images, mask = request.init_image, request.mask
    if images is None:
        return None
    counts = {"the inputs": rows, "`init_image`": len(images), "`mask`": len(mask or [None])}
    if len(set(counts.values()) - {1}) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise InvalidInputError.of_field(
            "init_image", f"the numbers of rows differ: {listed}; one stands for all rows"
        )
    init = InitImage(images, request.strength or (STRENGTH if mask is None else 1.0), mask)
    if mask is not None:
        for k in range(init.rows):
            _check_mask(mask[k % len(mask)], images[k % len(images)])
    return init


def last_steps(sigmas: SigmaGrid, strength: float) -> SigmaGrid:
    """Return the last int(steps * strength) steps of `sigmas`, at least one.

    This is the convention of diffusers: of 20 steps with strength 0.8 the last 16 run.
    """
    return sigmas.last(max(1, int(sigmas.steps * strength)))


def _check_required_options(request: Request) -> None:
    """Reject options without the option that they need."""
    for name, needed in (
        ("strength", "init_image"),
        ("mask", "init_image"),
        ("repaint_resamples", "mask"),
    ):
        if getattr(request, name) is not None and getattr(request, needed) is None:
            raise InvalidInputError.of_field(name, f"needs `{needed}`, which is missing")
    if request.repaint_resamples is not None and request.noise == "brownian":
        raise InvalidInputError.of_field(
            "repaint_resamples",
            "noises the state several times between the same two sigmas, and 'brownian' noise is "
            "the same there each time; use `noise` 'independent'",
        )


def _check_mask(mask: Image.Image, image: Image.Image) -> None:
    if mask.size != image.size:
        raise InvalidInputError.of_field(
            "mask",
            f"is {mask.width}x{mask.height}, and `init_image` {image.width}x{image.height}; both "
            "must have the same size",
        )
    if not (np.asarray(mask) >= WHITE).any():
        raise InvalidInputError.of_field(
            "mask",
            "the mask has no white pixels; white marks what to repaint (a mask that is white where "
            "the image stays must be inverted)",
        )


def _resize_mask(mask: Image.Image, size: Size) -> Image.Image:
    """Return the mask in black and white at `size`; a pixel is black if at least half of it was."""
    known = ImageOps.invert(mask.point(_BLACK_OR_WHITE))
    if known.size != size:
        known = known.resize(size, Image.Resampling.BOX).point(_BLACK_OR_WHITE)
    return ImageOps.invert(known)
