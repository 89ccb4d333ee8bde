"""Guidance by any differentiable energy: a classifier's, a distance to a picture, a measure."""

from collections.abc import Callable

import torch
from torch import Tensor

from latelier.contracts import frames
from latelier.contracts.errors import CompatibilityError
from latelier.contracts.frames import FrameOfReference
from latelier.contracts.sampling import Denoise

Energy = Callable[[Tensor, Tensor, float | Tensor], Tensor]
"""x0 (B, C, h, w), x and sigma -> the energy of each image (B,), low where it is as wanted.

Minus the log of a probability, such as a classifier's of a class given x. Row k may depend on
image k alone.
"""


def down_energy(
    name: str, denoise: Denoise, energy: Energy, frame: FrameOfReference, strength: float
) -> Denoise:
    """Return `denoise` with its estimates moved down the gradient of an energy.

    With eps as `denoise` implies it, eps + strength * sigma * grad_x E: classifier guidance
    (Dhariwal and Nichol, arXiv:2105.05233, Algorithm 2), and equation 16 of the paper (Rombach et
    al., arXiv:2112.10752). The gradient goes through `denoise`, so a call costs about three. At
    pure noise (flow frame) x0 does not depend on eps, and nothing is moved.

    Raises:
        CompatibilityError: from `denoise`, the energy cannot be differentiated; names the guidance.
    """

    def moved(x: Tensor, sigma: float | Tensor, /) -> Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            x0 = denoise(x, sigma)
            gradient = _gradient(name, energy(x0, x, sigma), x)
        s = torch.as_tensor(frames.per_image(sigma, x), dtype=x.dtype, device=x.device)
        alpha = frames.alpha(frame, s)
        step = torch.where(alpha > 0, strength * s**2 / alpha, torch.zeros_like(s))
        return (x0 - step * gradient).detach()

    return moved


def _gradient(name: str, energies: Tensor, x: Tensor) -> Tensor:
    if energies.requires_grad:
        [gradient] = torch.autograd.grad(energies.sum(), x, allow_unused=True)
        if gradient is not None:
            return gradient
    raise CompatibilityError(
        f"guidance '{name}' needs a gradient by x of its energy, and there is none: the model, the "
        "first stage or the energy cannot be differentiated"
    )
