"""Steps that go down further than they should, and make up for it with fresh noise."""

import math

import torch
from torch import Tensor

from latelier.contracts import frames
from latelier.contracts.sigma_grid import SigmaGrid


def ancestral(grid: SigmaGrid, sigma: float, to: float, eta: float) -> tuple[float, float]:
    """Return the sigma to go down to on the way to `to`, and the share of noise that is fresh.

    From there `renoised` leads up to `to`. With eta 1 the share is that of the posterior of x at
    `to`, given x0 and x at `sigma` (Ho et al., arXiv:2006.11239, equation 7), and the sigma is 0 if
    that before was pure noise.
    """
    # The quotient of the two noise-to-signal ratios is exp(-h); 0 to sigma 0 and from pure noise.
    h = grid.log_snr(to) - grid.log_snr(sigma)
    fresh = eta * math.sqrt(-math.expm1(-2 * h))
    if fresh == 1:
        return 0.0, fresh
    if fresh == 0:
        return to, fresh
    return frames.sigma_at(grid.frame, grid.log_snr(to) - math.log1p(-(fresh**2)) / 2), fresh


def renoised(
    x: Tensor, grid: SigmaGrid, sigma: float, to: float, eps: Tensor, amount: float = 1.0
) -> Tensor:
    """Return x at the higher `to` for x at `sigma`, by adding `amount` * eps of unit variance."""
    scale = grid.alpha(to) / grid.alpha(sigma)
    std = amount * math.sqrt(to**2 - (scale * sigma) ** 2)
    return torch.add(x, eps, alpha=std) if scale == 1 else (x * scale).add_(eps, alpha=std)
