"""The two frames in which samplers see x.

Both read x = alpha(sigma) * x0 + sigma * eps, and in both dx/dsigma = (x - x0) / sigma.
've': alpha = 1. 'flow': alpha = 1 - sigma, so that sigma stays in [0, 1] and pure noise is a
finite point.
"""

import math
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

FrameOfReference = Literal["ve", "flow"]
"""How a sampler sees x: 've' x = x0 + sigma * eps; 'flow' x = (1 - sigma) * x0 + sigma * eps."""

Sigma = TypeVar("Sigma", float, "Tensor", "float | Tensor")


def alpha(frame: FrameOfReference, sigma: Sigma) -> Sigma:
    """Return the factor of x0 in x at `sigma`."""
    return 0 * sigma + 1 if frame == "ve" else 1 - sigma


def half_log_snr(frame: FrameOfReference, sigma: float) -> float:
    """Return lambda = log(alpha / sigma), half the logarithm of the signal-to-noise ratio.

    It is +inf at sigma 0 and, in the 'flow' frame, -inf at sigma 1.
    """
    if sigma == 0:
        return math.inf
    a = alpha(frame, sigma)
    return math.log(a / sigma) if a > 0 else -math.inf


def sigma_at(frame: FrameOfReference, half_log_snr: float) -> float:
    """Return the sigma at which log(alpha / sigma) is `half_log_snr`, which may be infinite.

    In the 've' frame pure noise (-inf) lies at infinite sigma.
    """
    ratio = math.exp(-half_log_snr)
    if frame == "ve":
        return ratio
    return ratio / (1 + ratio) if ratio < math.inf else 1.0


def per_image(sigma: "float | Tensor", x: "Tensor") -> "float | Tensor":
    """Return `sigma` so that it broadcasts over x (B, ...): a float, or (B,) made (B, 1, ...)."""
    if isinstance(sigma, float | int) or sigma.ndim == 0:
        return float(sigma)
    return sigma.to(x.device, x.dtype).view(-1, *[1] * (x.ndim - 1))
