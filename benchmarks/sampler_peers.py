"""Schedulers of diffusers as samplers, so that they solve the same problems as ours.

They are given the denoiser, the starting point and the number of steps, and choose the sigmas
themselves: those of Karras between the bounds of ours or, UniPC for flow models, its own.
"""

from collections.abc import Iterator
from typing import Any

import diffusers
from diffusers import EDMDPMSolverMultistepScheduler, UniPCMultistepScheduler
from torch import Tensor

from latelier.contracts.sampling import Denoise, Step
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.kernel.hookspecs import hookimpl
from latelier.kernel.registrar import Registrar

HIGHEST_RATIO = 60.0
"""sigma / alpha of the first step of a flow model: where our schedule 'karras' begins too."""


class Peers:
    """Registers them as 'diffusers/...'."""

    @hookimpl
    def latelier_register(self, registrar: Registrar) -> None:
        """Register them."""
        for name in ("diffusers_dpmpp_2m_karras", "diffusers_unipc"):
            registrar.sampler(name, factory=f"sampler_peers:{name}", order=2)


def register(atelier: Any) -> None:
    """Add them to an atelier."""
    atelier.register(Peers(), "diffusers", diffusers.__version__)


def diffusers_dpmpp_2m_karras(
    denoise: Denoise,
    x: Tensor,
    grid: SigmaGrid,
    /,
) -> Iterator[Step]:
    """Yield the steps of DPM++ 2M on Karras' sigmas, in the frame where x = x0 + sigma * eps."""
    flow = grid.frame == "flow"
    highest = HIGHEST_RATIO if flow else grid.sigmas[0]
    lowest = grid.sigmas[-2] / (1 - grid.sigmas[-2]) if flow else grid.sigmas[-2]
    scheduler: Any = EDMDPMSolverMultistepScheduler(
        sigma_min=lowest, sigma_max=highest, sigma_data=1.0, sigma_schedule="karras"
    )
    scheduler.set_timesteps(grid.steps)
    x = x * highest if flow else x  # pure noise
    for index, (t, sigma, to) in enumerate(
        zip(scheduler.timesteps, scheduler.sigmas.tolist(), scheduler.sigmas[1:].tolist())
    ):
        x_in, sigma_in = (x / (1 + sigma), sigma / (1 + sigma)) if flow else (x, sigma)
        denoised = denoise(x_in, sigma_in)
        # The output of a network inside their preconditioning for this x0.
        skip, out = 1 / (sigma**2 + 1), sigma / (sigma**2 + 1) ** 0.5
        x = scheduler.step((denoised - skip * x) / out, t, x).prev_sample
        yield Step(index, to / (1 + to) if flow else to, x, denoised)


def diffusers_unipc(
    denoise: Denoise,
    x: Tensor,
    grid: SigmaGrid,
    /,
) -> Iterator[Step]:
    """Yield the steps of UniPC, second order, as diffusers sets it up for the kind of model."""
    flow = grid.frame == "flow"
    kind: dict[str, Any] = (
        {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
        if flow
        else {
            "use_karras_sigmas": True,
            "prediction_type": "sample",
            "beta_schedule": "scaled_linear",
            "beta_start": 0.0015,
            "beta_end": 0.0195,
        }
    )
    scheduler: Any = UniPCMultistepScheduler(solver_order=2, **kind)
    scheduler.set_timesteps(grid.steps)
    sigmas = scheduler.sigmas.tolist()
    if not flow:
        x = x / (1 + sigmas[0] ** 2) ** 0.5
    for index, (t, sigma, to) in enumerate(zip(scheduler.timesteps, sigmas, sigmas[1:])):
        denoised = denoise(x if flow else x * (1 + sigma**2) ** 0.5, sigma)
        output = (x - denoised) / sigma if flow else denoised
        x = scheduler.step(output, t, x).prev_sample
        yield Step(index, to, x if flow else x * (1 + to**2) ** 0.5, denoised)
