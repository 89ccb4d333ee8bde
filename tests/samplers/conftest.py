"""OutputSpec every test that asks for `sampler` each registered sampler, under each of its names.

One that asks for `traits` too gets what it declares. Samplers that invert (from an image to its
noise) are for tests that ask for `traits`.
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
    asked = {"traits"} & set(metafunc.fixturenames)
    if not asked:
        specs = [s for s in specs if not s.traits.is_inversion]
    samplers = [partial(resolve(spec.factory, spec.id), **spec.defaults) for spec in specs]
    values = [(s, *[spec.traits] * len(asked)) for s, spec in zip(samplers, specs)]
    metafunc.parametrize(("sampler", *asked), values, ids=[spec.name for spec in specs])
