"""Tables of betas against the formulas, one number at a time, and against diffusers."""

import math
from itertools import pairwise

import pytest
import torch

from latelier.diffusion.processes.betas import betas
from latelier.diffusion.processes.vp import VP

START, END, STEPS = 0.0015, 0.0195, 100


def cosine(k: int) -> float:
    def abar(step: int) -> float:
        return math.cos((step / STEPS + 0.008) / 1.008 * math.pi / 2) ** 2

    return min(1 - abar(k + 1) / abar(k), 0.999)


def between(start: float, end: float, k: int) -> float:
    return start + (end - start) * k / (STEPS - 1)


FORMULAS = {
    "scaled_linear": lambda k: between(math.sqrt(START), math.sqrt(END), k) ** 2,
    "linear": lambda k: between(START, END, k),
    "sqrt": lambda k: math.sqrt(between(START, END, k)),
    "cosine": cosine,
}


@pytest.mark.parametrize("schedule", FORMULAS)
def test_betas_equal_their_formulas(schedule):
    wanted = [FORMULAS[schedule](k) for k in range(STEPS)]
    assert betas(schedule, START, END, STEPS).tolist() == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("scaled_linear", "scaled_linear"), ("linear", "linear"), ("cosine", "squaredcos_cap_v2")],
)
@pytest.mark.parametrize("steps", [50, 1000])
def test_betas_equal_the_tables_of_diffusers(ours, theirs, steps):
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DDIMScheduler(steps, START, END, theirs)
    table = torch.from_numpy(betas(ours, START, END, steps))
    torch.testing.assert_close(table.float(), scheduler.betas, rtol=1e-4, atol=0)


def test_a_process_accepts_the_cosine_schedule():
    process = VP(beta_schedule="cosine")
    # the cap is reached at the last step alone: 1 - abar there is 0.999 of what was left
    before = math.cos((999 / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2
    first = math.cos(0.008 / 1.008 * math.pi / 2) ** 2
    abar = before / first * 0.001
    assert process.frame == "flow"
    ratio = process.sigma_max / (1 - process.sigma_max)
    assert ratio == pytest.approx(math.sqrt((1 - abar) / abar), rel=1e-9)
    assert all(a < b for a, b in pairwise(process.sigmas))
    assert all(process.timestep(process.sigma(t)).item() == t for t in range(1000))


def test_heun_converges_in_few_steps_with_the_cosine_schedule():
    heun = pytest.importorskip("latelier_samplers.heun").heun
    schedule = pytest.importorskip("latelier_samplers.schedules.model").model
    process = VP(beta_schedule="cosine")
    spread = torch.tensor([0.2, 0.7, 1.5])

    def denoise(x, sigma):
        """The exact one for normal data of these standard deviations."""
        alpha = 1 - sigma
        return alpha * spread**2 / (alpha**2 * spread**2 + sigma**2) * x

    noise = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    grid = schedule(20, process)
    x = process.initial(noise, grid.sigmas[0])
    *_, step = heun(denoise, x, grid)
    torch.testing.assert_close(process.finish(step.x, step.sigma), noise * spread, rtol=0.1, atol=0)
