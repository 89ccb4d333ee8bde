"""Degradations that make low-resolution images for training super-resolution.

`degrade` is the light form, which the paper's model was trained with, of BSRGAN's degradation
(Zhang et al. 2021, arXiv:2103.14006; Rombach et al. 2022, arXiv:2112.10752, appendix D.6.1): blur,
resizing, noise and JPEG in random order. Images are float32 (3, H, W) in [-1, 1]; inside they are
in [0, 1]. All that is random is drawn from a numpy generator.
"""

import io
import math
from collections.abc import Callable

import numpy as np
import PIL.Image
import torch
from kornia.filters import filter2d
from torch import Tensor
from torch.nn.functional import interpolate

Size = tuple[int, int]
"""(H, W)."""

_MODES = ("bilinear", "bicubic", "area")


def bicubic(image: Tensor, factor: int) -> Tensor:
    """Return the image (3, H // factor, W // factor), bicubic and antialiased as Pillow does it."""
    image = _cropped(image, factor)
    size = _divided(image, factor)
    small = interpolate(image[None], size, mode="bicubic", antialias=True)[0]
    return small.clamp(-1, 1)


def degrade(image: Tensor, factor: int, rng: np.random.Generator) -> Tensor:
    """Return a degraded image (3, H // factor, W // factor).

    Blur, a random resizing, noise and JPEG stand in random order; so does the last resizing, but
    after the random one. (The published order shuffles two more slots, which do nothing.) A second
    JPEG ends it. With a factor of 4, a quarter of the images are first halved.
    """
    x = _cropped(image, factor) / 2 + 0.5
    size = _divided(x, factor)
    if factor == 4 and rng.random() < 0.25:
        x, factor = _resized(x, _divided(x, 2), rng), 2
    slots: list[Callable[[Tensor], Tensor]] = [
        lambda x: blurred(x, factor, rng),
        lambda x: randomly_resized(x, factor, rng),
        lambda x: _resized(x, size, rng),
        lambda x: noised(x, rng),
        lambda x: jpeg(x, int(rng.integers(80, 96))) if rng.random() < 0.9 else x,
    ]
    for slot in _order(rng):
        x = slots[slot](x).clamp(0, 1)
    return jpeg(x, int(rng.integers(80, 96))) * 2 - 1


def blurred(x: Tensor, factor: int, rng: np.random.Generator) -> Tensor:
    """Return x (3, H, W) under a Gaussian: half of the time isotropic, else anisotropic.

    Kernels have odd sides only: an even one would move the image by half a pixel.
    """
    if rng.random() < 0.5:
        variance = (rng.random() * (2 + 0.2 * factor) / 4) ** 2
        return _filtered(x, gaussian(int(rng.choice([5, 7])), (variance, variance)))
    first, second = rng.random(2) * (4 + factor) / 4
    side = int(rng.choice([5, 7, 9, 11, 13]))
    return _filtered(x, gaussian(side, (first, second), angle=math.pi * rng.random()))


def randomly_resized(x: Tensor, factor: int, rng: np.random.Generator) -> Tensor:
    """Return x (3, H, W) made smaller by 1 to 2 `factor`, or blurred and thinned by `factor`."""
    if rng.random() < 0.8:
        by = rng.uniform(1, 2 * factor)
        height, width = (max(1, int(side / by)) for side in x.shape[1:])
        return _resized(x, (height, width), rng)
    variance = rng.uniform(0.1, 0.6 * factor) ** 2
    # the kernel stands on the centre of the pixels that are thinned to one, so nothing moves
    kernel = gaussian(25, (variance, variance), centre=(factor - 1) / 2)
    return _filtered(x, kernel)[:, ::factor, ::factor]


def noised(x: Tensor, rng: np.random.Generator) -> Tensor:
    """Return x (3, H, W) in [0, 1] with Gaussian noise of at most two levels of 255.

    40 % each have noise of its own for each channel, or grey noise; 20 % have channels that
    correlate.
    """
    kind, size = rng.random(), x.shape[1:]
    deviation = int(rng.integers(1, 3)) / 255
    if kind < 0.4:
        return x + deviation * _normal((1, *size), rng)
    if kind < 0.8:
        return x + deviation * _normal((3, *size), rng)
    axes, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    deviations = 2 / 255 * np.sqrt(rng.random(3))
    mixing = torch.from_numpy((axes * deviations).astype(np.float32))
    return x + torch.einsum("ij,jhw->ihw", mixing, _normal((3, *size), rng))


def jpeg(x: Tensor, quality: int) -> Tensor:
    """Return x (3, H, W) in [0, 1], written as a JPEG and read again."""
    levels = (x * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    file = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(levels)).save(file, "JPEG", quality=quality)
    with PIL.Image.open(file) as image:
        read = np.asarray(image.convert("RGB"))
    return torch.tensor(read, dtype=torch.float32).permute(2, 0, 1).contiguous() / 255


def gaussian(
    side: int, variances: tuple[float, float], angle: float = 0.0, centre: float = 0.0
) -> Tensor:
    """Return a Gaussian kernel (side, side) that sums to 1.

    Args:
        side: odd, in pixels.
        variances: along its two axes, in pixels squared.
        angle: of the first axis to the right, in radians.
        centre: how far its mean is to the right of, and below, the kernel's middle.
    """
    across = np.arange(side) - side // 2 - centre
    x, y = np.meshgrid(across, across)
    first = x * math.cos(angle) + y * math.sin(angle)
    second = y * math.cos(angle) - x * math.sin(angle)
    a, b = (max(variance, 1e-3) for variance in variances)
    exponent = -(first**2 / a + second**2 / b) / 2
    kernel = np.exp(exponent - exponent.max())
    return torch.from_numpy((kernel / kernel.sum()).astype(np.float32))


def _order(rng: np.random.Generator) -> list[int]:
    """Return the slots 0 to 4 in random order, but 2 after 1."""
    order = [int(slot) for slot in rng.permutation(5)]
    first, second = sorted((order.index(1), order.index(2)))
    order[first], order[second] = 1, 2
    return order


def _filtered(x: Tensor, kernel: Tensor) -> Tensor:
    filtered: Tensor = filter2d(x[None], kernel[None], border_type="replicate")[0]
    return filtered


def _resized(x: Tensor, size: Size, rng: np.random.Generator) -> Tensor:
    """Return x (3, H, W) at a size, by a random method; all but 'area' alias, as they should."""
    return interpolate(x[None], size, mode=_MODES[rng.integers(len(_MODES))])[0]


def _normal(shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))


def _cropped(image: Tensor, factor: int) -> Tensor:
    """Return the upper left of the image whose sides are multiples of the factor."""
    height, width = (side - side % factor for side in image.shape[1:])
    return image[:, :height, :width]


def _divided(image: Tensor, factor: int) -> Size:
    return image.shape[1] // factor, image.shape[2] // factor
