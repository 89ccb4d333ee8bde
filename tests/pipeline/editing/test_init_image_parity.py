"""The arithmetic of diffusers' image-to-image: add_noise at a step of the list, then the rest.

Run on the exact denoiser of normal data, in float64, with the scheduler's own steps.
"""

import numpy as np
import pytest
import torch

from latelier.contracts.condition import Condition
from latelier.contracts.configs import DenoiserConfig
from latelier.contracts.sampling import run_sampler
from latelier.diffusion.predict import Predictor
from latelier.diffusion.processes.vp import VP
from latelier.pipeline.editing.init_image import last_steps
from latelier.pipeline.editing.inpaint import InpaintState
from latelier_samplers.ddim import ddim
from latelier_samplers.plms import plms
from latelier_samplers.schedules.compvis import compvis

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

STEPS = 20
SHAPE = (2, 4, 8, 8)
OPTIONS = {
    "beta_start": 0.0015,
    "beta_end": 0.0195,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "set_alpha_to_one": False,
}
MEAN, STD = 0.3, 0.6
ABAR = np.cumprod(1 - np.linspace(0.0015**0.5, 0.0195**0.5, 1000) ** 2)


class Exact:
    """The noise that is to be expected in x, where the data are normal numbers of MEAN and STD."""

    config = DenoiserConfig()

    def __call__(self, x, t, condition=None, control=None):
        abar = ABAR[int(t.flatten()[0])]
        return (1 - abar) ** 0.5 * (x - abar**0.5 * MEAN) / (abar * STD**2 + 1 - abar)


def drawn(seed):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def ours(sampler, strength):
    process = VP()
    grid = last_steps(compvis(STEPS, process), strength)
    predict = Predictor(Exact(), process, torch.float64)
    state = InpaintState(torch.zeros(2, 3, 8, 8), drawn(1), strength, None)
    x = state.initial(process, drawn(2), grid.sigmas[0])
    *_, step = run_sampler(sampler, lambda x, sigma: predict(x, sigma, [Condition()])[0], x, grid)
    return process.finish(step.x, step.sigma)


def in_float64(scheduler):
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
    scheduler.final_alpha_cumprod = scheduler.final_alpha_cumprod.double()
    scheduler.set_timesteps(STEPS)
    return scheduler


def theirs(scheduler, times):
    x = scheduler.add_noise(drawn(1), drawn(2), times[:1].expand(2))
    for t in times:
        x = scheduler.step(Exact()(x, t), t, x).prev_sample
    return x


@pytest.mark.parametrize("strength", [0.05, 0.5, 0.8, 0.99])
def test_ddim_equals_diffusers(strength):
    from diffusers import DDIMScheduler

    scheduler = in_float64(DDIMScheduler(**OPTIONS, timestep_spacing="leading", clip_sample=False))
    first = max(STEPS - min(int(STEPS * strength), STEPS), 0)
    reference = theirs(scheduler, scheduler.timesteps[first:])
    error = (ours(ddim, strength) - reference).norm() / reference.norm()
    assert error < 1e-5


@pytest.mark.parametrize("strength", [0.1, 0.5, 0.8])
def test_plms_equals_diffusers(strength):
    """With the warm-up at the step where the run begins; their pipeline cuts it off."""
    from diffusers import PNDMScheduler

    scheduler = in_float64(PNDMScheduler(**OPTIONS, skip_prk_steps=True))
    listed = torch.unique(scheduler.timesteps).flip(0)[STEPS - int(STEPS * strength) :]
    scheduler.timesteps = torch.cat([listed[:2], listed[1:2], listed[2:]])
    scheduler.ets, scheduler.counter = [], 0
    reference = theirs(scheduler, scheduler.timesteps)
    error = (ours(plms, strength) - reference).norm() / reference.norm()
    assert error < 1e-5
