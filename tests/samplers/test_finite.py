"""A model whose error does not shrink with sigma: every sampler stays finite, and ends."""

import pytest
import torch

from latelier.contracts.sampling import run_sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.noise import PerImageNoise

SHAPE = (4, 4, 4)
MIX = torch.randn(64, 64, generator=torch.Generator().manual_seed(1)) / 8
MODELS = {
    "float16": lambda x: (x * 0.98).half().float(),
    "bfloat16": lambda x: (x.bfloat16() * 0.99).float(),
    "random": lambda x: torch.tanh(x.flatten(1) @ MIX * 3).view_as(x),
    "identity": lambda x: x,
    "constant": lambda x: torch.full_like(x, 0.3),
}
RUNS = {
    "ve": SigmaGrid((14.0, 1.0, 0.1, 0.0), "ve"),
    "flow": SigmaGrid((1.0, 0.5, 0.1, 0.0), "flow"),
    "one step": SigmaGrid((14.0, 0.0), "ve"),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("sigmas", RUNS.values(), ids=RUNS)
def test_every_sampler_stays_finite_and_ends(sampler, sigmas, model):
    calls = 0

    def denoise(x, sigma):
        nonlocal calls
        calls += 1
        return model(x)

    noise = PerImageNoise([0], SHAPE)
    x = noise.initial() * sigmas[0]
    for step in run_sampler(sampler, denoise, x, sigmas, noise):
        assert step.x.isfinite().all()
        assert step.denoised.isfinite().all()
    assert calls < 1000
