"""How far a denoiser's predictions are from what its noise process asks for."""

from typing import Any

from torch import Tensor

from latelier.checkpoints.component import Component
from latelier.diffusion import frames
from latelier.diffusion.process import Process
from latelier.kernel.condition import Condition
from latelier.kernel.contracts import Control
from latelier.kernel.errors import CompatibilityError
from latelier.training.losses import denoising
from latelier.training.randomness import Draws, Purpose


def prediction_losses(
    denoiser: Any,
    process: Process,
    latents: Tensor,
    draws: Draws,
    condition: Condition,
    control: Control,
) -> Tensor:
    """Return the mean squared error (B,) for latents (B, C, h, w), at times and noise drawn anew.

    Equation 2 of Rombach et al., arXiv:2112.10752, where the process asks for the noise.
    """
    sigmas = process.training_sigmas(draws.uniform(Purpose.TIME))
    eps = draws.normal(Purpose.NOISE, latents.shape[1:]).to(latents.device)
    x = process.noised(latents, eps, sigmas)
    t = process.timestep(sigmas).to(latents.device)
    scale = process.input_scale(frames.per_image(sigmas, x))
    prediction = denoiser(x * scale, t, condition, control)
    return denoising(prediction, process.target(latents, eps, sigmas))


def check_recompute(denoiser: Component, asked: bool) -> None:
    """Check that a denoiser can make its activations again, where that is asked for.

    Raises:
        CompatibilityError: it cannot.
    """
    if asked and "recompute" not in denoiser.module.config.honours:
        raise CompatibilityError(
            f"recompute: the denoiser '{denoiser.id}' cannot make its activations again; "
            "set it to false"
        )
