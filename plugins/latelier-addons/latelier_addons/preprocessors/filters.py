"""Filters that make hints of pictures: images (B, 3, H, W) in [-1, 1], as inputs take them.

Their defaults give what the ControlNets of the same names were trained with.
"""

import torch
from latelier.contracts.errors import InvalidInputError
from torch import Tensor
from torch.nn.functional import interpolate

_MIN_CONTRAST = 16 / 255
"""Fainter lines than these stay faint."""


def canny(images: Tensor, low: float = 0.4, high: float = 0.8) -> Tensor:
    """Return the edges of images, white on black (Canny 1986).

    An edge has a gradient of at least `high`, by unnormalised Sobel filters, or one of at least
    `low` and touches another edge. Thresholds of 100 and 200 elsewhere are 0.4 and 0.8 here.

    Raises:
        InvalidInputError: the thresholds are not in order, or the images are too small.
    """
    import kornia

    if not 0 < low <= high:
        raise InvalidInputError(f"canny: expected 0 < low <= high, got low={low}, high={high}")
    height, width = images.shape[2:]
    if min(height, width) < 3:  # its Gaussian reflects 2 pixels
        raise InvalidInputError(f"canny: expected 3 pixels a side or more, got {width}x{height}")
    _, edges = kornia.filters.canny((images + 1) / 2, low, high)
    return edges.expand_as(images) * 2 - 1


def blur(images: Tensor, sigma: float = 9.0) -> Tensor:
    """Return images blurred by a Gaussian of `sigma` pixels."""
    import kornia

    size = 2 * round(3 * sigma) + 1  # beyond three sigmas nothing is left
    return kornia.filters.gaussian_blur2d(images, size, (sigma, sigma), border_type="replicate")


def line(images: Tensor, sigma: float = 6.0, threshold: float = 0.03) -> Tensor:
    """Return dark lines of images, white on black.

    A line is darker than its surroundings, the mean by a Gaussian of `sigma` pixels. What is darker
    by less than `threshold` plays no part in the contrast of the result.
    """
    darker = (blur(images, sigma) - images) / 2  # share of the range from black to white
    darkness = darker.amin(dim=1, keepdim=True).clamp(min=0)
    rows = []
    for row in darkness:
        marked = row[row > threshold]
        contrast = max(float(marked.median()), _MIN_CONTRAST) if len(marked) else _MIN_CONTRAST
        rows.append((row / contrast * 0.5).clamp(max=1))
    return torch.stack(rows).expand_as(images) * 2 - 1


def tile(images: Tensor, factor: int = 8) -> Tensor:
    """Return images without what is smaller than `factor` pixels, for details to be made anew."""
    height, width = images.shape[2:]
    small = (max(height // factor, 1), max(width // factor, 1))
    coarse = interpolate(images, small, mode="area")
    return interpolate(coarse, (height, width), mode="bicubic").clamp(-1, 1)


FILTERS = {each.__name__: each for each in (canny, blur, line, tile)}
"""Name -> filter."""
