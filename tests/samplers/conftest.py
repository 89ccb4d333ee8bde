"""Run each test with a fixture `sampler` on every registered sampler, under each of its names.

A test with a fixture `traits` gets its traits too, and those tests alone get samplers that invert
(from an image to its noise).
"""

from functools import partial

import pytest

from latelier.kernel.registrar import Registrar
from latelier.kernel.spec import resolve
from latelier_samplers._plugin import plugin


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "sampler" not in metafunc.fixturenames:
        return
    registrar = Registrar("latelier", "0")
    plugin.latelier_register(registrar)
    specs = [spec for spec in registrar.specs if spec.kind == "sampler"]
    extra = {"traits"} & set(metafunc.fixturenames)
    if not extra:
        specs = [s for s in specs if not s.traits.is_inversion]
    samplers = [partial(resolve(spec.factory, spec.id), **spec.defaults) for spec in specs]
    values = [(s, *[spec.traits] * len(extra)) for s, spec in zip(samplers, specs)]
    metafunc.parametrize(("sampler", *extra), values, ids=[spec.name for spec in specs])
