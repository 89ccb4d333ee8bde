"""Gives every test that asks for `sampler` each registered sampler, under each of its names.

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
    both = "traits" in metafunc.fixturenames
    specs = [s for s in registrar.specs if s.kind == "sampler" and (both or not s.traits.inverts)]
    samplers = [partial(resolve(spec.factory, spec.id), **spec.defaults) for spec in specs]
    ids = [spec.name for spec in specs]
    if both:
        pairs = [(sampler, spec.traits) for sampler, spec in zip(samplers, specs)]
        metafunc.parametrize(("sampler", "traits"), pairs, ids=ids)
    else:
        metafunc.parametrize("sampler", samplers, ids=ids)
