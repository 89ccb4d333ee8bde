"""The conformance kit over every schedule that is registered here, under each of its names.

Also which processes they are not for, and that the error says what to use instead.
"""

from functools import partial

import pytest

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.sampling import run_schedule
from latelier.diffusion.processes.edm import EDM
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.kernel.registrar import Registrar
from latelier.kernel.spec import resolve
from latelier.testing import ScheduleContract
from latelier_samplers._plugin import plugin

NOT_FOR = {
    "align_your_steps": {"paper", "cosine", "zero snr", "edm", "flow"},
    "compvis": {"edm", "flow"},
    "dynamic_shift": {"paper", "stable diffusion", "cosine", "zero snr", "edm"},
    "model": {"edm"},
}
OPTIONS_NEEDED = {"fixed"}


def specs():
    """Return the specs of those that need no options."""
    registrar = Registrar("latelier", "0")
    plugin.latelier_register(registrar)
    schedules = (spec for spec in registrar.specs if spec.kind == "schedule")
    return [spec for spec in schedules if spec.name not in OPTIONS_NEEDED]


def contracts():
    for spec in specs():
        name = "Test" + spec.name.title().replace("_", "")
        yield name, type(name, (ScheduleContract,), {"component": spec.id})


globals().update(contracts())


class TestFixed(ScheduleContract):
    component = "latelier/fixed"
    options = {"sigmas": (20.0, 5.0, 1.0, 0.1, 0.0)}
    steps = (4, 5)
    processes = {"edm": EDM()}


@pytest.fixture(params=specs(), ids=lambda spec: spec.name)
def named(request):
    spec = request.param
    schedule = partial(resolve(spec.factory, spec.id), **spec.defaults)
    return spec.name, partial(call, schedule)


def call(schedule, steps, process):
    return run_schedule(schedule, steps, process, ScheduleContract.geometry)


@pytest.mark.parametrize("place", ScheduleContract.processes)
def test_every_process_gets_a_grid_or_one_clear_error(named, place):
    (name, schedule), process = named, ScheduleContract.processes[place]
    for steps in (1, 2, 5, 10, 50):
        if place in NOT_FOR.get(name, ()):
            with pytest.raises(InvalidInputError, match=f"'{name}'.*use (the schedule )?'"):
                schedule(steps, process)
        else:
            assert schedule(steps, process).steps == steps


@pytest.mark.parametrize("steps", [0, -1])
def test_zero_steps_are_an_error(named, steps):
    with pytest.raises(InvalidInputError, match=f"1 .*not {steps}"):
        named[1](steps, ScheduleContract.processes["stable diffusion"])


@pytest.mark.parametrize("name", ["karras", "exponential", "log_snr", "polyexponential", "cosine"])
@pytest.mark.parametrize("sigma_min", [0.985, 0.9999])
def test_flow_sigmas_never_ascend(name, sigma_min):
    """They are spaced below the ratio 60, so sigma_min has to be lower than that."""
    [spec] = [spec for spec in specs() if spec.name == name]
    schedule = partial(resolve(spec.factory, spec.id), **spec.defaults)
    with pytest.raises(InvalidInputError, match=f"sigma_min must be below 0.984 .*not {sigma_min}"):
        schedule(5, RectifiedFlow(), sigma_min=sigma_min)
    grid = schedule(5, RectifiedFlow(), sigma_min=0.98)
    assert list(grid) == sorted(grid, reverse=True)
