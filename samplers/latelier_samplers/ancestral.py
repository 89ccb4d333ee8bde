"""Ancestral steps: below the next sigma, and back up to it by fresh noise."""

import math

import torch
from torch import Tensor

from latelier.contracts import frames
from latelier.contracts.sigma_grid import SigmaGrid


def find_sigma_down(sigmas: SigmaGrid, sigma: float, sigma_next: float, eta: float) -> float:
    """Return the sigma from which `renoise` leads up to `sigma_next`.

    `eta` is the share of fresh noise. With eta 1 the noise is that of the posterior of the next x
    given x0 and x at `sigma` (Ho et al., arXiv:2006.11239, equation 7), and sigma_down is 0 from
    pure noise. With eta 0 it is `sigma_next` itself.
    """
    lam_next = sigmas.half_log_snr(sigma_next)
    h = lam_next - sigmas.half_log_snr(sigma)  # infinite to sigma 0 and from pure noise
    fresh = eta * math.sqrt(-math.expm1(-2 * h))
    if fresh == 1:
        return 0.0
    if fresh == 0:
        return sigma_next
    return frames.sigma_at(sigmas.frame, lam_next - math.log1p(-(fresh**2)) / 2)


def renoise(
    x: Tensor, sigmas: SigmaGrid, sigma: float, sigma_hat: float, eps: Tensor, s_noise: float = 1.0
) -> Tensor:
    """Return x (B, C, h, w) raised from `sigma` to the higher `sigma_hat` by `s_noise` * eps.

    eps has unit variance.
    """
    scale = sigmas.alpha(sigma_hat) / sigmas.alpha(sigma)
    std = s_noise * math.sqrt(sigma_hat**2 - (scale * sigma) ** 2)
    return torch.add(x if scale == 1 else x * scale, eps, alpha=std)
