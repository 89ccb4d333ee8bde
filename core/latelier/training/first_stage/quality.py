"""How close reconstructions are to their images."""

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
