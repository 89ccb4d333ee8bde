"""The meanings of a denoiser's output, and x0 from each of them.

With x = alpha * x0 + sigma * eps (either frame) and r = sqrt(alpha^2 + sigma^2):

eps   the noise (Ho et al., arXiv:2006.11239)
x0    the image itself
v     (alpha * eps - sigma * x0) / r (Salimans and Ho, arXiv:2202.00512)
flow  eps - x0 (Liu et al., arXiv:2209.03003; Lipman et al., arXiv:2210.02747)
"""

from typing import Literal

from torch import Tensor

PredictionType = Literal["eps", "x0", "v", "flow"]

Factor = float | Tensor


def prediction_target(
    kind: PredictionType, x0: Tensor, eps: Tensor, alpha: Factor, sigma: Factor
) -> Tensor:
    """Return the training target of the denoiser. Shapes (B, C, h, w)."""
    if kind == "eps":
        return eps
    if kind == "x0":
        return x0
    if kind == "v":
        return (alpha * eps - sigma * x0) / (alpha**2 + sigma**2) ** 0.5
    return eps - x0


def to_x0(kind: PredictionType, output: Tensor, x: Tensor, alpha: Factor, sigma: Factor) -> Tensor:
    """Return x0 given the denoiser's output for x. Shapes (B, C, h, w).

    From 'eps' x0 cannot be computed where alpha is 0.
    """
    if kind == "eps":
        x0 = x - sigma * output
        return x0 if _is_one(alpha) else x0 / alpha
    if kind == "x0":
        return output
    if kind == "v":
        square = alpha**2 + sigma**2
        return alpha / square * x - sigma / square**0.5 * output
    return (x - sigma * output) / (alpha + sigma)


def _is_one(factor: Factor) -> bool:
    """Return whether a division by `factor` can be left out: it would change no bit."""
    return isinstance(factor, float) and factor == 1
