import subprocess
import sys
from importlib import import_module

import pytest

from latelier.contracts.conditioner import Conditioner
from latelier.contracts.configs import ConditionerConfig
from latelier.kernel.registrar import Registrar
from latelier_conditioners._plugin import plugin


@pytest.fixture
def specs() -> dict[str, object]:
    registrar = Registrar("latelier", "0")
    plugin.latelier_register(registrar)
    return {spec.name: spec for spec in registrar.specs}


def resolved(target: str) -> object:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def test_the_plugin_imports_no_torch() -> None:
    code = "import sys, latelier_conditioners._plugin; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "name",
    [
        "text",
        "class_label",
        "bert_text",
        "layout",
        "layout_fourier",
        "embedding",
        "picture_size",
        "semantic_map",
        "mask",
        "image",
        "references",
    ],
)
def test_registered_import_strings_resolve(specs: dict[str, object], name: str) -> None:
    spec = specs[name]
    factory = resolved(spec.factory)
    config = resolved(spec.config)
    assert isinstance(factory, type)
    assert issubclass(factory, Conditioner)
    assert isinstance(config, type)
    assert issubclass(config, ConditionerConfig)
    assert resolved(spec.input) is factory.Input
