"""Guidance by any differentiable energy: a classifier's, a distance to a picture, a measure."""

from collections.abc import Callable

import torch
from torch import Tensor

from latelier.contracts import frames
from latelier.contracts.errors import CompatibilityError
from latelier.contracts.frames import FrameOfReference
from latelier.contracts.sampling import Denoise

Energy = Callable[[Tensor, Tensor, float | Tensor], Tensor]
"""x0 (B, C, h, w), x and sigma -> the energy of each image (B,), which guidance lowers.

An example is minus the log-probability that a classifier gives a class. Row k may depend on image
k alone.
"""


def apply_energy_guidance(
    name: str, denoise: Denoise, energy: Energy, frame: FrameOfReference, strength: float
) -> Denoise:
    """Return `denoise` with its estimates moved down the gradient of an energy.

    In terms of the eps that `denoise` implies, eps becomes eps + strength * sigma * grad_x E: this
    is classifier guidance (Dhariwal and Nichol, arXiv:2105.05233, Algorithm 2) and equation 16 of
    Rombach et al., arXiv:2112.10752. The gradient passes through `denoise`, so a call costs about
    three. At pure noise (in the 'flow' frame) x0 does not depend on eps, and stays as it is.

    Raises:
        CompatibilityError: from `denoise`, the energy cannot be differentiated; names the guidance.
    """

    def descend(x: Tensor, sigma: float | Tensor, /) -> Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            x0 = denoise(x, sigma)
            gradient = _gradient(name, energy(x0, x, sigma), x)
        s = torch.as_tensor(frames.per_image(sigma, x), dtype=x.dtype, device=x.device)
        alpha = frames.alpha(frame, s)
        step = torch.where(alpha > 0, strength * s**2 / alpha, torch.zeros_like(s))
        return (x0 - step * gradient).detach()

    return descend


def _gradient(name: str, energies: Tensor, x: Tensor) -> Tensor:
    if energies.requires_grad:
        [gradient] = torch.autograd.grad(energies.sum(), x, allow_unused=True)
        if gradient is not None:
            return gradient
    raise CompatibilityError(
        f"guidance '{name}' needs the gradient of its energy by x, and the energy does not depend "
        "on x: the model, the first stage or the energy is not differentiable"
    )
