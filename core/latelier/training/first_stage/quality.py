"""How close reconstructions are to their images."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from latelier.metrics.psnr import psnr
from latelier.metrics.ssim import MIN_SIDE, ssim


def measure_quality(
    reconstructions: Tensor, images: Tensor, perceptual: nn.Module | None
) -> dict[str, Tensor]:
    """Return measures of each image, float32 (B,).

    Args:
        reconstructions: (B, 3, H, W); values beyond [-1, 1] are clipped.
        images: (B, 3, H, W) in [-1, 1].
        perceptual: The network of the perceptual loss, if there is one.

    Returns:
        "perceptual": distance in `perceptual`. "absolute": mean absolute error. "psnr": in dB.
        "ssim": at most 1; images smaller than its window have none.
    """
    reconstructions = reconstructions.float().clamp(-1, 1)
    measures: dict[str, Tensor] = {}
    if perceptual is not None:  # the first measure decides which weights are the best
        measures["perceptual"] = perceptual(reconstructions, images)
    measures["absolute"] = (reconstructions - images).abs().mean((1, 2, 3))
    measures["psnr"] = psnr(reconstructions, images)
    if min(images.shape[2:]) >= MIN_SIDE:
        measures["ssim"] = ssim(reconstructions, images)
    return measures


def mean_quality(
    pairs: Iterable[tuple[Tensor, Tensor]], perceptual: nn.Module | None
) -> dict[str, float]:
    """Return the means over images of what `measure_quality` measures of (copies, images)."""
    values: dict[str, list[Tensor]] = {}
    for reconstructions, images in pairs:
        for name, each in measure_quality(reconstructions, images, perceptual).items():
            values.setdefault(name, []).append(each)
    return {name: float(torch.cat(each).mean()) for name, each in values.items()}
