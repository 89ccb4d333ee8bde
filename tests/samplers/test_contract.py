"""The conformance kit over every sampler that is registered here, under each of its names.

Also the exact number of evaluations, which the kit leaves open for first and last steps.
"""

import pytest
import torch

from latelier.contracts import frames
from latelier.contracts.sampling import run_sampler
from latelier.diffusion.noise import PerImageNoise
from latelier.diffusion.processes.edm import EDM
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP
from latelier.kernel.registrar import Registrar
from latelier.testing import SamplerContract
from latelier_samplers._plugin import plugin
from latelier_samplers.dpm2_ancestral import dpm2_ancestral
from latelier_samplers.dpmpp_2s_ancestral import dpmpp_2s_ancestral
from latelier_samplers.dpmpp_sde import dpmpp_sde
from latelier_samplers.plms import plms
from latelier_samplers.schedules.karras import karras
from latelier_samplers.schedules.model import model

STEPS = 6
GRIDS = [
    karras(STEPS, EDM()),
    karras(STEPS, RectifiedFlow()),
    model(STEPS, VP(), spacing="leading", offset=1, final="first"),
]
NO_MIDDLE_FROM_PURE_NOISE = {dpm2_ancestral, dpmpp_2s_ancestral, dpmpp_sde}


def contracts():
    registrar = Registrar("latelier", "0")
    plugin.latelier_register(registrar)
    for spec in registrar.specs:
        if spec.kind == "sampler":
            name = "Test" + spec.name.title().replace("_", "")
            yield name, type(name, (SamplerContract,), {"component": spec.id})


globals().update(contracts())


class Counted:
    """A denoise that depends on each pixel alone and records its sigmas."""

    def __init__(self):
        self.sigmas = []

    def __call__(self, x, sigma):
        at = [sigma] if type(sigma) is float else sigma.tolist()
        assert len(at) in (1, len(x))
        assert min(at) > 0
        self.sigmas.append(sigma)
        return torch.tanh(4 * x / (1 + frames.per_image(sigma, x)))


@pytest.mark.parametrize("grid", GRIDS, ids=["edm", "flow", "paper"])
def test_nfe_is_exact(sampler, traits, grid):
    """One for a step to sigma 0, and as many as the sampler declares for every other."""
    denoise, noise = Counted(), PerImageNoise([0], (4, 8, 8))
    list(run_sampler(sampler, denoise, noise.initial(), grid, noise))
    if traits.nfe_per_step is None:
        assert len(denoise.sigmas) >= STEPS
        return
    single = 0 if traits.is_inversion else grid.sigmas.count(0)
    if sampler.func in NO_MIDDLE_FROM_PURE_NOISE:
        single += grid.sigmas.count(1)
    more = 1 if sampler.func is plms else 0  # in its first step
    assert len(denoise.sigmas) == traits.nfe_per_step * (STEPS - single) + single + more
    if traits.nfe_per_step == 1 and not more:
        assert sorted(denoise.sigmas) == sorted(grid.sigmas[:-1])
