"""Denoising window by window (MultiDiffusion, arXiv:2302.08113).

For pictures larger than what a model was trained on. At every call x is cut into windows, their x0
are estimated in chunks of a bounded number, and the estimates are blended. So windows agree at
every step, not only at the end. At one sigma x0 is the same affine function of eps, v or flow for
all windows: blending x0 blends these too.

Windows are rows of the batch. Guidance runs on each chunk with the conditions of its windows, and
neither it nor the sampler knows of windows. Statistics that a guidance takes over a whole picture
(the deviation of its x0, say) are those of a window here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, prod

import torch
from torch import Tensor

from latelier.contracts.components import PictureGeometry
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.sampling import Denoise
from latelier.pipeline.request import Request, Size, check_sides
from latelier.pipeline.tiling.windows import Sides, Window, count_windows, make_windows

OVERLAP = 0.5
"""The default overlap: every position but those at the edges is in four windows."""

POSITIONS_PER_CALL = 64 * 64
"""Latent positions in a call of the denoiser by default. It is one window of a model that was
trained on 64 x 64, so that memory does not grow, and several of a smaller model."""


@dataclass(frozen=True)
class Windowing:
    """How a picture is denoised in windows: the request's own fields, complete.

    Attributes:
        window: (width, height) in pixels.
        overlap: 0..0.9, least share of a window that the next one covers too.
        window_batch: most windows of a picture in one call of the denoiser.
    """

    window: Size
    overlap: float
    window_batch: int

    def windows(self, geometry: PictureGeometry) -> list[Window]:
        """Return the windows of a picture."""
        sides = _latent_sides(self.window, geometry)
        return make_windows(geometry.latent_size, sides, self.overlap)

    def count(self, geometry: PictureGeometry) -> int:
        """Return the number of windows of a picture, without making them."""
        sides = _latent_sides(self.window, geometry)
        return count_windows(geometry.latent_size, sides, self.overlap)


def read_windowing(
    request: Request, geometry: PictureGeometry, multiple: int, pictures: int
) -> Windowing | None:
    """Return how a request is denoised in windows; None where it is not.

    Args:
        request: the request.
        geometry: of the whole picture.
        multiple: sides of a picture are multiples of this, in pixels.
        pictures: how many are made at once.

    Raises:
        InvalidInputError: the model cannot take the window, or an option needs a window.
    """
    if request.window is None:
        for name in ("overlap", "window_batch"):
            if getattr(request, name) is not None:
                raise InvalidInputError.of_field(name, "needs `window`, which is missing")
        return None
    check_sides("window", dict(zip(("width", "height"), request.window)), multiple)
    height, width = geometry.size
    window = min(request.window[0], width), min(request.window[1], height)
    positions = prod(_latent_sides(window, geometry)) * pictures
    return Windowing(
        window,
        OVERLAP if request.overlap is None else request.overlap,
        request.window_batch or max(1, POSITIONS_PER_CALL // positions),
    )


def _latent_sides(window: Size, geometry: PictureGeometry) -> Sides:
    downsampling = geometry.size[0] // geometry.latent_size[0]
    width, height = window
    return height // downsampling, width // downsampling


def denoise_windows(
    windows: Sequence[Window], batch: int, denoise_for: Callable[[Sequence[Window]], Denoise]
) -> Denoise:
    """Return the `denoise` of whole pictures, blended from that of their windows.

    Args:
        windows: the windows that cover a picture.
        batch: the most windows of a picture in one call; they are shared out evenly.
        denoise_for: makes the `denoise` of some windows. Its rows are those of x cut to the first
            window, then to the second, and so on.
    """
    size = ceil(len(windows) / ceil(len(windows) / batch))
    chunks = [windows[start : start + size] for start in range(0, len(windows), size)]
    denoisers = [(chunk, denoise_for(chunk)) for chunk in chunks]

    def denoise(x: Tensor, sigma: float | Tensor, /) -> Tensor:
        blended = torch.zeros_like(x)
        for chunk, denoise_chunk in denoisers:
            k = len(chunk)
            rows = torch.cat([window.of(x) for window in chunk])  # (k * B, C, h, w)
            sigmas = sigma.repeat(k) if isinstance(sigma, Tensor) and sigma.ndim else sigma
            for window, x0 in zip(chunk, denoise_chunk(rows, sigmas).chunk(k), strict=True):
                window.of(blended).add_(window.weights.to(x) * x0)
        return blended

    return denoise
