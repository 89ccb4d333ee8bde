"""The exact denoiser is the mean of the data given x, found here by brute force."""

import pytest
import torch

from latelier.contracts import frames
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP
from latelier.evaluation.sampling.mixture import make_exact_denoise, make_mixture


@pytest.mark.parametrize("frame", ["ve", "flow"])
@pytest.mark.parametrize("per_image", [False, True])
def test_exact_denoise_is_the_posterior_mean(frame, per_image):
    means = torch.tensor([[-1.0], [0.5], [2.0]], dtype=torch.float64)
    x = torch.tensor([[0.3], [-0.7]], dtype=torch.float64)
    sigmas = [0.4, 0.7] if per_image else [0.4, 0.4]
    x0 = torch.linspace(-4, 5, 40001, dtype=torch.float64)
    prior = torch.stack([torch.exp(-((x0 - m) ** 2) / (2 * 0.2**2)) for m in means]).sum(0)
    expected = []
    for value, sigma in zip(x, sigmas):
        seen = torch.exp(-((value - frames.alpha(frame, sigma) * x0) ** 2) / (2 * sigma**2))
        weights = prior * seen
        expected.append((weights * x0).sum() / weights.sum())
    sigma = torch.tensor(sigmas) if per_image else sigmas[0]
    found = make_exact_denoise(means, 0.2, frame)(x, sigma)
    torch.testing.assert_close(found[:, 0], torch.stack(expected), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("process", [VP(), RectifiedFlow()])
def test_the_problem_is_float64_and_seeded(process):
    problem, other = make_mixture(process, [0, 1, 2]), make_mixture(process, [1])
    assert problem.dtype == torch.float64
    x = torch.ones(3, 16, dtype=torch.float64)
    assert torch.equal(problem.denoise(x, 0.5)[:1], other.denoise(x[:1], 0.5))
