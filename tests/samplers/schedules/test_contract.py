"""What holds of every registered schedule that needs no options, on every process."""

from functools import partial

import pytest

from latelier.diffusion.edm import EDM
from latelier.diffusion.rectified_flow import RectifiedFlow
from latelier.diffusion.vp import VP
from latelier.kernel.errors import InvalidInputError
from latelier.kernel.options import options_model, read_options
from latelier.kernel.registrar import Registrar
from latelier.kernel.spec import resolve
from latelier_samplers._plugin import plugin

PROCESSES = {
    "paper": VP(),
    "stable diffusion": VP(beta_start=0.00085, beta_end=0.012),
    "cosine": VP(beta_schedule="cosine"),
    "zero snr": VP(zero_terminal_snr=True, prediction="v"),
    "edm": EDM(),
    "flow": RectifiedFlow(),
}
NOT_FOR = {
    "align_your_steps": {"paper", "cosine", "zero snr", "edm", "flow"},
    "compvis": {"edm", "flow"},
    "model": {"edm"},
}


def schedules():
    """Those that make a grid without being told more."""
    registrar = Registrar("latelier", "0")
    plugin.latelier_register(registrar)
    for spec in registrar.specs:
        if spec.kind == "schedule":
            function = resolve(spec.factory, spec.id)
            fields = options_model(function).model_fields
            if not any(field.is_required() for field in fields.values()):
                yield spec.name, partial(function, **spec.defaults)


@pytest.fixture(params=schedules(), ids=lambda item: item[0])
def named(request):
    return request.param


@pytest.mark.parametrize("place", PROCESSES)
def test_a_grid_of_the_process_or_one_clear_error(named, place):
    (name, schedule), process = named, PROCESSES[place]
    for steps in (1, 2, 5, 10, 50):
        if place in NOT_FOR.get(name, ()):
            with pytest.raises(InvalidInputError, match=f"'{name}'.*use (the schedule )?'"):
                schedule(steps, process)
            continue
        grid = schedule(steps, process)
        assert grid.frame == process.frame
        assert grid.steps == steps
        assert grid.sigmas[0] <= process.sigma_max
        assert grid.sigmas[-2] >= process.sigma_min
        assert all(type(sigma) is float for sigma in grid.sigmas)
        assert schedule(steps, process) == grid


@pytest.mark.parametrize("steps", [0, -1])
def test_fewer_steps_than_one(named, steps):
    with pytest.raises(InvalidInputError, match=f"1 .*not {steps}"):
        named[1](steps, PROCESSES["stable diffusion"])


def test_options_that_it_does_not_have_are_refused(named):
    with pytest.raises(InvalidInputError, match="there is no field 'rhoo'"):
        read_options(named[1].func, {"rhoo": 3}, "schedule")
