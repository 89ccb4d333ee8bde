"""Starting from a picture: what was asked, checked, and where on the grid the run begins."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.pipeline.request import Request, Side

STRENGTH = 0.8
"""The strength where none is said and all of the picture may change; with `keep` it is 1."""

WHITE = 128
"""The least level of a mask that counts as white."""

_BLACK_OR_WHITE = [0 if level < WHITE else 255 for level in range(256)]


@dataclass(frozen=True, eq=False)
class Start:
    """The pictures to start from, one for each row or one for all; the request's own fields.

    init_image: RGB. keep: of mode L and of the images' sizes, white where the image stays; or None.
    strength: see `tail`.
    """

    init_image: Sequence[Image.Image]
    strength: float
    keep: Sequence[Image.Image] | None = None

    @property
    def rows(self) -> int:
        """Number of rows that it stands for; 1 goes with any."""
        return max(len(self.init_image), len(self.keep or ()))

    def resized(self, size: Side) -> "Start":
        """Return it with images of `size` (width, height), and masks that go with them."""
        images = [
            image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)
            for image in self.init_image
        ]
        keep = None if self.keep is None else [_fitted(mask, size) for mask in self.keep]
        return Start(images, self.strength, keep)


def read_start(request: Request, rows: int) -> Start | None:
    """Return what `request` starts from, or None for pure noise; `rows` are those of its inputs.

    Raises:
        InvalidInputError: a strength or mask without a picture, numbers of pictures or sizes that
            do not go together, or a mask that keeps all or nothing.
    """
    images, keep = request.init_image, request.keep
    if request.resample is not None and keep is None:
        raise InvalidInputError("resample: needs the mask of what stays, keep")
    if request.resample is not None and request.noise == "brownian":
        raise InvalidInputError(
            "resample: draws noise anew between the same two sigmas, and 'brownian' noise is the "
            "same there each time; use noise 'independent'"
        )
    if images is None:
        for name in ("strength", "keep"):
            if getattr(request, name) is not None:
                raise InvalidInputError(f"{name}: needs the picture to start from, init_image")
        return None
    strength = request.strength or (STRENGTH if keep is None else 1.0)
    start = Start(images, strength, keep)
    counts = {"the inputs": rows, "init_image": len(images), "keep": len(keep or [None])}
    if len(set(counts.values()) - {1}) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise InvalidInputError(
            f"init_image: the rows do not go together: {listed}; one is for all"
        )
    if keep is not None:
        for k in range(start.rows):
            _check(keep[k % len(keep)], images[k % len(images)])
    return start


def tail(grid: SigmaGrid, strength: float) -> SigmaGrid:
    """Return the last int(steps * strength) steps of `grid`, at least one.

    That is the convention of diffusers: of 20 steps with strength 0.8 the last 16 are run, from the
    sigma that they begin at.
    """
    run = max(1, int(grid.steps * strength))
    return SigmaGrid(grid.sigmas[grid.steps - run :], grid.frame)


def _check(mask: Image.Image, image: Image.Image) -> None:
    if mask.size != image.size:
        raise InvalidInputError(
            f"keep: is {mask.width}x{mask.height}, and init_image {image.width}x{image.height}; "
            "they must be of one size"
        )
    white = np.asarray(mask) >= WHITE
    if white.all():
        raise InvalidInputError(
            "keep: all of it is white, and white is what stays, so that nothing would be made; "
            "paint black what is to be made anew (invert a mask of what to repaint)"
        )
    if not white.any():
        raise InvalidInputError(
            "keep: none of it is white, and white is what stays; paint white what is to stay "
            "(invert a mask of what to repaint), or leave it out to make all anew"
        )


def _fitted(mask: Image.Image, size: Side) -> Image.Image:
    """Return the mask, black and white, at `size`; white where at least half of a pixel was."""
    fitted = mask.point(_BLACK_OR_WHITE)
    if fitted.size != size:
        fitted = fitted.resize(size, Image.Resampling.BOX).point(_BLACK_OR_WHITE)
    return fitted
