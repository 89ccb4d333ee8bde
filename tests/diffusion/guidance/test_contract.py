"""The conformance kit over every guidance rule that is registered here, under each of its names."""

import torch

from latelier._plugin import plugin
from latelier.kernel.registrar import Registrar
from latelier.testing import GuidanceContract

OPTIONS = {
    "composable": {"also": {"a dog": 2.0, "fog": -1.0}},
    "image_guided": {"target": torch.zeros(3, 6, 5), "strength": 0.5},
    "per_condition": {"scales": {"text": 3.0, "label": 2.0}},
}
ALONE = {
    "cfgpp": None,
    "composable": None,
    "image_guided": None,
    "pag": {"scale": 1.0, "pag_scale": 0.0},
    "per_condition": {"scales": {"text": 1.0, "label": 1.0}},
}


def contracts():
    registrar = Registrar("latelier", "0")
    plugin.latelier_register(registrar)
    for spec in registrar.specs:
        if spec.kind == "guidance":
            name = "Test" + spec.name.title().replace("_", "")
            options, alone = OPTIONS.get(spec.name, {}), ALONE.get(spec.name, {"scale": 1.0})
            fields = {"component": spec.id, "options": options, "alone": alone}
            yield name, type(name, (GuidanceContract,), fields)


globals().update(contracts())
