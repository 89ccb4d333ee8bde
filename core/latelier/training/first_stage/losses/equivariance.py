"""Scale equivariance of the decoder (Skorokhodov et al. 2025, arXiv:2502.14831)."""

from math import floor

from torch import Tensor
from torch.nn.functional import avg_pool2d

from latelier.contracts.errors import InvalidConfigError
from latelier.training.configs.first_stage import EquivarianceConfig


def factor_at(config: EquivarianceConfig, step: int) -> int | None:
    """Return the factor of shrinking in a step; None: the step has no such term.

    The steps with it are spread evenly and take the factors in turn.
    """
    count = floor((step + 1) * config.share)
    if count == floor(step * config.share):
        return None
    return config.factors[(count - 1) % len(config.factors)]


def shrink(pixels: Tensor, factor: int) -> Tensor:
    """Return (B, C, H / factor, W / factor): the mean of each square of (B, C, H, W)."""
    return avg_pool2d(pixels, factor)


def check_divisible(config: EquivarianceConfig, height: int, width: int) -> None:
    """Check that latents of a size can be shrunk.

    Raises:
        InvalidConfigError: a factor does not divide a side of the latents.
    """
    for factor in config.factors:
        if height % factor or width % factor:
            raise InvalidConfigError(
                f"equivariance.factors: {factor} does not divide the sides of the latents, "
                f"{width} x {height}; leave it out"
            )
