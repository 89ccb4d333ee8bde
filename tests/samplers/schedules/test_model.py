import pytest

from latelier.contracts.errors import InvalidInputError
from latelier.diffusion.processes.edm import EDM
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP
from latelier_samplers.schedules.model import model

PAPER = {"spacing": "leading", "offset": 1, "final": "first"}


def times(grid, process):
    return [float(process.timestep(sigma)) for sigma in grid.sigmas]


def test_steps_match_the_paper():
    process = VP()
    grid = model(50, process, **PAPER)
    assert times(grid, process)[:-1] == list(range(981, 0, -20))
    assert grid.sigmas[-1] == process.sigmas[0]


@pytest.mark.parametrize(
    "steps", [3, 9, 27, 36, 37, *range(101, 112), *range(251, 334), 400, *range(501, 1000, 7)]
)
def test_step_counts_that_fail_in_the_original_code_work(steps):
    process = VP()
    grid = model(steps, process, **PAPER)
    assert grid.steps == steps
    assert times(grid, process)[-2] == 1


@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
def test_every_step_count_gives_that_many_integer_steps(spacing):
    process = VP()
    for steps in [*range(1, 130), 333, 500, 999, 1000]:
        grid = model(steps, process, spacing=spacing)
        assert grid.steps == steps
        assert grid.sigmas[-1] == 0
        assert all(t == int(t) for t in times(grid, process))


def test_spacings_match_their_definitions():
    process = VP()
    assert times(model(4, process), process)[:-1] == [999, 749, 499, 249]
    assert times(model(4, process, spacing="leading"), process)[:-1] == [750, 500, 250, 0]
    assert times(model(4, process, spacing="linspace"), process)[:-1] == [999, 666, 333, 0]
    assert times(model(1, process, spacing="linspace"), process)[:-1] == [999]


def test_flow_steps_start_at_pure_noise_and_are_not_rounded():
    process = RectifiedFlow()
    assert model(30, process).sigmas == pytest.approx([1 - i / 30 for i in range(31)])
    assert model(30, process).sigmas[0] == 1
    even = [1 + i * (0.001 - 1) / 29 for i in range(30)]
    assert model(30, process, spacing="linspace").sigmas[:-1] == pytest.approx(even)
    assert model(10, process, spacing="leading").sigmas[-2] == 0.001


def test_zero_snr_steps_start_at_pure_noise():
    grid = model(7, VP(zero_terminal_snr=True, prediction="v"))
    assert grid.frame == "flow"
    assert grid.sigmas[0] == 1


@pytest.mark.parametrize(
    ("steps", "process", "options", "message"),
    [
        (0, VP(), {}, "1 to 1000 steps.*not 0"),
        (1001, VP(), {}, "1 to 1000 steps.*not 1001"),
        (1000, VP(), PAPER, "1000 steps.*training step 1000, and the last is 999"),
        (10, VP(), {"offset": 1}, "'trailing' with offset 1 begin at training step 1000"),
        (10, VP(), {"spacing": "linspace", "final": "first"}, "'linspace'.*use final 'zero'"),
        (10, EDM(), {}, "'edm' has none; use the schedule 'karras'"),
    ],
)
def test_invalid_steps_and_processes_are_refused(steps, process, options, message):
    with pytest.raises(InvalidInputError, match=message):
        model(steps, process, **options)
