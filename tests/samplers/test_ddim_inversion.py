"""From an image to its noise, and back."""

import pytest
import torch

from latelier.contracts.condition import Condition
from latelier.contracts.configs import DenoiserConfig
from latelier.diffusion.predict import Predictor
from latelier.diffusion.processes.edm import EDM
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP
from latelier_samplers.ddim import ddim
from latelier_samplers.ddim_inversion import ddim_inversion
from latelier_samplers.schedules.karras import karras
from latelier_samplers.schedules.model import model

ZERO_SNR = VP(zero_terminal_snr=True, prediction="v")
GRIDS = [
    karras(20, EDM()),
    karras(20, RectifiedFlow()),
    karras(20, ZERO_SNR),
    model(20, VP(), spacing="leading", offset=1, final="first"),
]
IDS = ["edm", "flow", "zero-snr", "paper"]


def image():
    return torch.randn(
        2, 4, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    ).clamp(-2, 2)


def denoiser(grid, std=0.4):
    """Return that of pixels near -1, 0.2 or 1."""
    means = torch.tensor([-1.0, 0.2, 1.0], dtype=torch.float64)

    def denoise(x, sigma):
        a = grid.alpha(sigma)
        variance = a**2 * std**2 + sigma**2
        off = x[..., None] - a * means
        share = torch.softmax(-(off**2) / (2 * variance), -1)
        return (share * (means + a * std**2 / variance * off)).sum(-1)

    return denoise


def end(steps):
    *_, step = steps
    return step.x


def round_trip(grid, refinements):
    first, denoise = image(), denoiser(grid)
    x = end(ddim_inversion(denoise, first, grid, refinements=refinements))
    back = end(ddim(denoise, x, grid, noise=None))
    return ((back - first).norm() / first.norm()).item()


@pytest.mark.parametrize("grid", GRIDS, ids=IDS)
def test_refinements_bring_ddim_back_to_the_image(grid):
    errors = [round_trip(grid, refinements) for refinements in (0, 1, 2, 10)]
    assert errors[0] < 0.1
    assert errors[1] < errors[0] / 2
    assert errors[2] < errors[1] / 2
    assert errors[3] < 1e-5


@pytest.mark.parametrize("process", [RectifiedFlow(), ZERO_SNR], ids=["flow", "zero-snr"])
def test_inverted_data_are_normal(process):
    """Its quantiles are those of the normal distribution, where those of the pixels are the data's.

    But for an error of first order.
    """
    grid = karras(150, process)
    levels = torch.linspace(0.02, 0.98, 49, dtype=torch.float64)
    normal = torch.distributions.Normal(torch.zeros((), dtype=torch.float64), 1)
    means = torch.tensor([-1.0, 0.2, 1.0], dtype=torch.float64)
    values = torch.linspace(-3, 3, 60001, dtype=torch.float64)
    cdf = normal.cdf((values[:, None] - means) / 0.4).mean(-1)
    pixels = values[torch.searchsorted(cdf, levels)].view(1, 1, 7, 7)
    x = end(ddim_inversion(denoiser(grid), pixels, grid, refinements=5))
    assert (x.flatten() - normal.icdf(levels)).abs().max() < 0.05


def test_the_model_receives_the_image_at_its_variance():
    """Whatever the sigma, as in DDIM's own form: x / sqrt(alpha^2 + sigma^2)."""
    seen, process = [], VP()

    class Network:
        config = DenoiserConfig()

        def __call__(self, x, t, condition, control=None):
            seen.append((x, t[0].item()))
            return torch.zeros_like(x)

    predict = Predictor(Network(), process, torch.float64)
    grid, x0 = model(4, process, spacing="leading", offset=1), image()
    next(ddim_inversion(lambda x, s: predict(x, s, [Condition()])[0], x0, grid))
    ((x, t),) = seen
    torch.testing.assert_close(x, x0)
    assert t == 1


def test_it_never_calls_at_sigma_0_and_ends_at_the_first_sigma():
    calls = []

    def remembering(x, sigma):
        calls.append(sigma)
        return x / 2

    grid = karras(5, RectifiedFlow())
    *_, step = ddim_inversion(remembering, image(), grid)
    assert calls == list(grid.sigmas[-2::-1])
    assert step.sigma == grid.sigmas[0] == 1
