"""The conformance kit over every acceleration that is registered here, under each of its names."""

from latelier._plugin import plugin
from latelier.kernel.registrar import Registrar
from latelier.testing import AccelerationContract

OPTIONS = {"token_merging": {"min_tokens": 16}}
EXACT = {"deep_cache": {"interval": 1}, "token_merging": {"ratio": 0.0}}


def contracts():
    registrar = Registrar("latelier", "0")
    plugin.latelier_register(registrar)
    for spec in registrar.specs:
        if spec.kind == "acceleration":
            name = "Test" + spec.name.title().replace("_", "")
            options, exact = OPTIONS.get(spec.name, {}), EXACT.get(spec.name)
            fields = {"component": spec.id, "options": options, "exact": exact}
            yield name, type(name, (AccelerationContract,), fields)


globals().update(contracts())
