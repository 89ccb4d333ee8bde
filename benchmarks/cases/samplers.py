"""What a sampler takes outside of the model, against the schedulers of diffusers.

The model is free: it returns a tensor that is there already. `step` of a scheduler also turns the
model's output into x0, and so does our `Predictor` here.
"""

import time
from collections.abc import Mapping
from typing import Any

import torch

from benchmarks.cases.models import require_diffusers
from benchmarks.harness.case import Case, Sample, Setup, Variant
from benchmarks.harness.goal import Goal, speedup
from latelier.contracts.condition import Condition
from latelier.contracts.configs import DenoiserConfig
from latelier.contracts.sampling import Denoise, Sampler, run_sampler
from latelier.diffusion.predict import Predictor
from latelier.diffusion.processes.vp import VP
from latelier.kernel.default import default_atelier
from latelier.pipeline.checks.sampler import check_sampler

SHAPE, STEPS = (1, 4, 64, 64), 50
PROCESS = VP.model_validate({})
SCHEDULERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "ddim": ("DDIMScheduler", {"clip_sample": False}),
    "heun": ("HeunDiscreteScheduler", {}),
    "dpmpp_2m": ("DPMSolverMultistepScheduler", {}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "deis": ("DEISMultistepScheduler", {}),
    "dpm2": ("KDPM2DiscreteScheduler", {}),
    "plms": ("PNDMScheduler", {"skip_prk_steps": True}),
}
"""Sampler -> the scheduler of the same method, and its options."""


class FreeModel:
    """A denoiser that does nothing."""

    config = DenoiserConfig()

    def __init__(self) -> None:
        self.output = draw(1)

    def __call__(self, *_: Any) -> torch.Tensor:
        """Return the same tensor for any input."""
        return self.output


def variants(_setup: Setup, /) -> Mapping[str, Variant]:
    """Return all steps of each sampler and of its scheduler, as seconds a step."""
    require_diffusers()
    found = {}
    for name, (scheduler, options) in SCHEDULERS.items():
        found[name] = sample_ours(default_atelier().samplers.get(name), name)
        found[scheduler] = sample_theirs(scheduler, options)
    return found


def sample_ours(sampler: Sampler, name: str) -> Variant:
    """Return the steps of a sampler, with the checks of a pipeline."""
    free: Any = FreeModel()
    predictor, conditions = Predictor(free, PROCESS), [Condition()]
    denoise: Denoise = lambda x, sigma: predictor(x, sigma, conditions)[0]  # noqa: E731
    x, noise = draw(0), draw(2)
    schedule = default_atelier().schedules.get("model")
    sigmas, checked = schedule(STEPS, PROCESS), check_sampler(sampler, name)

    @torch.no_grad()
    def take() -> Sample:
        start = time.perf_counter()
        for _ in run_sampler(checked, denoise, x, sigmas, lambda *_: noise):
            pass
        return Sample((time.perf_counter() - start) / STEPS)

    return Variant(take)


def sample_theirs(name: str, options: Mapping[str, Any]) -> Variant:
    """Return the steps of a scheduler."""
    scheduler = getattr(require_diffusers(), name)(
        beta_start=PROCESS.beta_start,
        beta_end=PROCESS.beta_end,
        beta_schedule="scaled_linear",
        timestep_spacing="trailing",
        **options,
    )
    first, output = draw(0), draw(1)

    @torch.no_grad()
    def take() -> Sample:
        scheduler.set_timesteps(STEPS)
        start, x = time.perf_counter(), first
        for t in scheduler.timesteps:
            scheduler.scale_model_input(x, t)
            x = scheduler.step(output, t, x, return_dict=False)[0]
        return Sample((time.perf_counter() - start) / STEPS)

    return Variant(take)


def draw(seed: int) -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


SAMPLERS = Case(
    "samplers",
    f"A sampler's own time in a step, {' x '.join(map(str, SHAPE))}",
    variants,
    tuple(
        Goal(f"speed of {name} over {scheduler}", speedup(name, scheduler))
        for name, (scheduler, _) in SCHEDULERS.items()
    ),
    rounds=50,
)
