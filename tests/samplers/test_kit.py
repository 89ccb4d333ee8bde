"""The conformance kit over every sampler that is registered here, under each of its names."""

from latelier.kernel.registrar import Registrar
from latelier.testing import SamplerContract
from latelier_samplers._plugin import plugin


def contracts():
    registrar = Registrar("latelier", "0")
    plugin.latelier_register(registrar)
    for spec in registrar.specs:
        if spec.kind == "sampler":
            name = "Test" + spec.name.title().replace("_", "")
            yield name, type(name, (SamplerContract,), {"component": spec.id})


globals().update(contracts())
