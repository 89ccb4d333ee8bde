"""Gives every test that asks for `sampler` each registered sampler, under each of its names."""

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
    samplers = [partial(resolve(spec.factory, spec.id), **spec.defaults) for spec in specs]
    metafunc.parametrize("sampler", samplers, ids=[spec.name for spec in specs])
