"""Denoising window by window: pictures larger than what a model was trained on.

At every call x is cut into windows, their x0 are estimated in chunks of a bounded number, and the
estimates are blended. So windows agree at every step, not only at the end. At one sigma x0 is the
same affine function of eps, v or flow for all windows: blending x0 blends these too.

Windows are rows of the batch. The guidance makes a `denoise` of its own for each chunk, with the
conditions of those windows; neither it nor the sampler knows of windows. What a guidance works out
of a whole picture (the deviation of its x0, say) it works out of each window here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, prod

import torch
from torch import Tensor

from latelier.contracts.components import PictureGeometry
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.sampling import Denoise
from latelier.pipeline.request import Request, Side, check_sides
from latelier.pipeline.tiling.windows import Sides, Window, windows

OVERLAP = 0.5
"""The overlap where none is said: with it every position but those at the edges is in four."""

POSITIONS_AT_ONCE = 64 * 64
"""Positions of latents in a call of the denoiser where `window_batch` is not said: one window of a
model that was trained on 64 x 64, so that memory does not grow, and several of a smaller one."""


@dataclass(frozen=True)
class Windowing:
    """How a picture is denoised in windows; the request's own fields, complete."""

    window: Side
    overlap: float
    window_batch: int

    def over(self, frame: PictureGeometry) -> list[Window]:
        """Return the windows of the picture."""
        return windows(frame.latent_size, _latent_sides(self.window, frame), self.overlap)


def read_windowing(
    request: Request, frame: PictureGeometry, multiple: int, pictures: int
) -> Windowing | None:
    """Return how `request` is denoised in windows; None where it is not.

    Args:
        request: what was asked.
        frame: of the whole picture.
        multiple: what the sides of a picture must be multiples of, in pixels.
        pictures: how many are made at once.

    Raises:
        InvalidInputError: a window that the model cannot take, or what goes with one without it.
    """
    if request.window is None:
        for name in ("overlap", "window_batch"):
            if getattr(request, name) is not None:
                raise InvalidInputError(f"{name}: needs the window that it goes with, window")
        return None
    check_sides("window", dict(zip(("width", "height"), request.window)), multiple)
    height, width = frame.size
    window = min(request.window[0], width), min(request.window[1], height)
    positions = prod(_latent_sides(window, frame)) * pictures
    return Windowing(
        window,
        OVERLAP if request.overlap is None else request.overlap,
        request.window_batch or max(1, POSITIONS_AT_ONCE // positions),
    )


def _latent_sides(window: Side, frame: PictureGeometry) -> Sides:
    f = frame.size[0] // frame.latent_size[0]
    width, height = window
    return height // f, width // f


@dataclass(frozen=True, eq=False)
class Windowed:
    """`denoise(x, sigma) -> x0` of whole pictures, from that of their windows.

    chunks: windows, each with the `denoise` of all of them, whose rows are those of x cut to the
    first window, then to the second, and so on.
    """

    chunks: Sequence[tuple[Sequence[Window], Denoise]]

    def __call__(self, x: Tensor, sigma: float | Tensor, /) -> Tensor:
        """Return the estimate of x0, (B, C, h, w), of `x` at `sigma` (a float or (B,))."""
        blended = torch.zeros_like(x)
        for chunk, denoise in self.chunks:
            k = len(chunk)
            cut = torch.cat([window.of(x) for window in chunk])  # (k * B, C, h, w)
            of_each = sigma.repeat(k) if isinstance(sigma, Tensor) and sigma.ndim else sigma
            for window, x0 in zip(chunk, denoise(cut, of_each).chunk(k), strict=True):
                window.of(blended).add_(window.weights.to(x) * x0)
        return blended


def windowed(
    cut: Sequence[Window], batch: int, denoise_of: Callable[[Sequence[Window]], Denoise]
) -> Windowed:
    """Return the `denoise` of whole pictures.

    Args:
        cut: the windows that cover them.
        batch: the most windows of a picture in one call; they are shared out evenly.
        denoise_of: makes the `denoise` of some windows, of rows as `Windowed.chunks` has them.
    """
    calls = ceil(len(cut) / batch)
    size = ceil(len(cut) / calls)
    chunks = [cut[start : start + size] for start in range(0, len(cut), size)]
    return Windowed([(chunk, denoise_of(chunk)) for chunk in chunks])
