"""Degradations that make low-resolution images for the training of super-resolution.

`degrade` is BSRGAN's degradation (Zhang et al. 2021, arXiv:2103.14006) in the light form with which
the paper's model was trained (Rombach et al. 2022, arXiv:2112.10752, appendix D.6.1): blur,
resizing, noise and JPEG in random order. `bicubic` and `degrade` take and return images float32
(3, H, W) in [-1, 1]; the other functions work in [0, 1]. A numpy generator is the only source of
randomness.
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
    """Return the image resized to (3, H // factor, W // factor), antialiased like Pillow's."""
    image = _crop_to_multiple(image, factor)
    size = _divide_size(image, factor)
    small = interpolate(image[None], size, mode="bicubic", antialias=True)[0]
    return small.clamp(-1, 1)


def degrade(image: Tensor, factor: int, rng: np.random.Generator) -> Tensor:
    """Return a degraded image (3, H // factor, W // factor).

    The order of blur, random resizing, final resizing, noise and JPEG is random, but the final
    resizing comes after the random one. (The published code shuffles two more slots, which do
    nothing.) A second JPEG comes last. With factor 4, a quarter of the images are halved first.
    """
    x = _crop_to_multiple(image, factor) / 2 + 0.5
    size = _divide_size(x, factor)
    if factor == 4 and rng.random() < 0.25:
        x, factor = _resize(x, _divide_size(x, 2), rng), 2
    slots: list[Callable[[Tensor], Tensor]] = [
        lambda x: blur(x, factor, rng),
        lambda x: resize_randomly(x, factor, rng),
        lambda x: _resize(x, size, rng),
        lambda x: add_noise(x, rng),
        lambda x: jpeg(x, int(rng.integers(80, 96))) if rng.random() < 0.9 else x,
    ]
    for slot in slot_order(rng):
        x = slots[slot](x).clamp(0, 1)
    return jpeg(x, int(rng.integers(80, 96))) * 2 - 1


def blur(x: Tensor, factor: int, rng: np.random.Generator) -> Tensor:
    """Return x (3, H, W) after a Gaussian blur, with equal chances isotropic or anisotropic.

    Kernels have odd sides: an even one would shift the image by half a pixel.
    """
    if rng.random() < 0.5:
        variance = (rng.random() * (2 + 0.2 * factor) / 4) ** 2
        return _filter(x, gaussian(int(rng.choice([5, 7])), (variance, variance)))
    first, second = rng.random(2) * (4 + factor) / 4
    side = int(rng.choice([5, 7, 9, 11, 13]))
    return _filter(x, gaussian(side, (first, second), angle=math.pi * rng.random()))


def resize_randomly(x: Tensor, factor: int, rng: np.random.Generator) -> Tensor:
    """Return x (3, H, W) downscaled by 1 to 2 `factor`, or blurred and subsampled by `factor`."""
    if rng.random() < 0.8:
        by = rng.uniform(1, 2 * factor)
        height, width = (max(1, int(side / by)) for side in x.shape[1:])
        return _resize(x, (height, width), rng)
    variance = rng.uniform(0.1, 0.6 * factor) ** 2
    # centred on the block of pixels that becomes one, so that the image does not shift
    kernel = gaussian(25, (variance, variance), centre=(factor - 1) / 2)
    return _filter(x, kernel)[:, ::factor, ::factor]


def add_noise(x: Tensor, rng: np.random.Generator) -> Tensor:
    """Return x (3, H, W) in [0, 1] with Gaussian noise of at most two levels of 255.

    The noise is grey with probability 0.4, independent for each channel with 0.4, and correlated
    between channels with 0.2.
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
    """Return x (3, H, W) in [0, 1] after a round trip through JPEG."""
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
        variances: along both axes, in pixels squared.
        angle: from the horizontal to the first axis, in radians.
        centre: offset of the mean from the kernel's centre, to the right and down, in pixels.
    """
    across = np.arange(side) - side // 2 - centre
    x, y = np.meshgrid(across, across)
    first = x * math.cos(angle) + y * math.sin(angle)
    second = y * math.cos(angle) - x * math.sin(angle)
    a, b = (max(variance, 1e-3) for variance in variances)
    exponent = -(first**2 / a + second**2 / b) / 2
    kernel = np.exp(exponent - exponent.max())
    return torch.from_numpy((kernel / kernel.sum()).astype(np.float32))


def slot_order(rng: np.random.Generator) -> list[int]:
    """Return the slots 0 to 4 in random order, with 2 after 1."""
    order = [int(slot) for slot in rng.permutation(5)]
    first, second = sorted((order.index(1), order.index(2)))
    order[first], order[second] = 1, 2
    return order


def _filter(x: Tensor, kernel: Tensor) -> Tensor:
    return filter2d(x[None], kernel[None], border_type="replicate")[0]


def _resize(x: Tensor, size: Size, rng: np.random.Generator) -> Tensor:
    """Return x (3, H, W) resized by a random method. All but 'area' alias, as in the original."""
    return interpolate(x[None], size, mode=_MODES[rng.integers(len(_MODES))])[0]


def _normal(shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))


def _crop_to_multiple(image: Tensor, factor: int) -> Tensor:
    """Return the upper left part of an image with sides that are multiples of `factor`."""
    height, width = (side - side % factor for side in image.shape[1:])
    return image[:, :height, :width]


def _divide_size(image: Tensor, factor: int) -> Size:
    return image.shape[1] // factor, image.shape[2] // factor
