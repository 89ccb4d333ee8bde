import math
from itertools import pairwise

import pytest

from latelier.contracts.errors import InvalidInputError
from latelier.diffusion.processes.edm import EDM
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP
from latelier_samplers.schedules.cosine import cosine

PROCESSES = [VP(), EDM(), RectifiedFlow(), VP(zero_terminal_snr=True, prediction="x0")]
IDS = ["vp", "edm", "flow", "zero-snr"]


@pytest.mark.parametrize("process", PROCESSES, ids=IDS)
@pytest.mark.parametrize("steps", [1, 2, 3, 10, 1000])
def test_sigmas_run_from_the_highest_to_0(process, steps):
    grid = cosine(steps, process)
    assert grid.steps == steps
    assert grid.frame == process.frame
    assert (grid.sigmas[0], grid.sigmas[-1]) == (process.sigma_max, 0)


@pytest.mark.parametrize("process", PROCESSES, ids=IDS)
def test_at_unit_variance_sigmas_are_sines_of_uniform_angles(process):
    grid = cosine(11, process)
    sines = [s / math.hypot(grid.alpha(s), s) for s in grid.sigmas[1:-1]]
    highest = 60.0 if grid.frame == "flow" else process.sigma_max
    low = grid.sigmas[-2]
    start, end = math.atan(highest), math.atan2(low, grid.alpha(low))
    expected = [math.sin(start + i / 10 * (end - start)) for i in range(1, 11)]
    assert sines == pytest.approx(expected, rel=1e-10)


def test_steps_are_uniform_in_t_for_cosine_betas():
    process = VP(beta_schedule="cosine")
    grid = cosine(5, process, sigma_max=process.sigma(990))
    times = [float(process.timestep(sigma)) for sigma in grid.sigmas[:-1]]
    gaps = [a - b for a, b in pairwise(times)]
    assert gaps == pytest.approx([990 / 4] * 4, rel=0.02)


def test_invalid_steps_are_refused():
    with pytest.raises(InvalidInputError, match="at least 1 step, not 0"):
        cosine(0, VP())
