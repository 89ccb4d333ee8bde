"""The conformance kit over every schedule that is registered here, under each of its names."""

from latelier.diffusion.edm import EDM
from latelier.kernel.registrar import Registrar
from latelier.testing import ScheduleContract
from latelier_samplers._plugin import plugin


def contracts():
    registrar = Registrar("latelier", "0")
    plugin.latelier_register(registrar)
    for spec in registrar.specs:
        if spec.kind == "schedule" and spec.name != "fixed":
            name = "Test" + spec.name.title().replace("_", "")
            yield name, type(name, (ScheduleContract,), {"component": spec.id})


globals().update(contracts())


class TestFixed(ScheduleContract):
    component = "latelier/fixed"
    options = {"sigmas": (20.0, 5.0, 1.0, 0.1, 0.0)}
    steps = (4, 5)
    processes = {"edm": EDM()}
