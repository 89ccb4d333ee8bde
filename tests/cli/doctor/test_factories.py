"""Factories are looked for in the source of their modules."""

import pytest

from latelier.cli.doctor.factories import check_factory
from latelier.contracts.errors import PluginError
from latelier.kernel.spec import ComponentSpec

SOURCE = """
import torch.nn as nn
import os.path
from a import b as c
VALUE, (OTHER, *MORE) = 1, (2, 3)
typed: int = 3
def function(): inside = 1
async def later(): ...
class Class: within = 1
try:
    import fast
except ImportError:
    fallback = None
    def rescue(): ...
else:
    chosen = 1
if VALUE:
    def conditional(): ...
for step in (): ...
with open("x") as file: ...
"""
THERE = [
    "nn",
    "os",
    "c",
    "VALUE",
    "OTHER",
    "MORE",
    "typed",
    "function",
    "later",
    "Class",
    "fast",
    "fallback",
    "rescue",
    "chosen",
    "conditional",
    "step",
    "file",
]


@pytest.fixture
def checked(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)

    def check(source, attribute, module="some_factories"):
        (tmp_path / "some_factories.py").write_text(source)
        check_factory(
            ComponentSpec(
                kind="sampler",
                name="it",
                distribution="latelier-it",
                version="1",
                factory=f"{module}:{attribute}",
            )
        )

    return check


@pytest.mark.parametrize("name", THERE)
def test_names_bound_by_a_module_are_found(checked, name):
    checked(SOURCE, name)


@pytest.mark.parametrize("name", ["inside", "within", "b", "path", "functoin"])
def test_names_not_bound_by_a_module_are_reported(checked, name):
    with pytest.raises(PluginError, match=f"'some_factories' has no '{name}'"):
        checked(SOURCE, name)


@pytest.mark.parametrize("source", ["from a import *", "def __getattr__(name): ..."])
def test_modules_with_dynamic_names_pass(checked, source):
    checked(source, "anything")


def test_invalid_source_is_reported(checked):
    with pytest.raises(PluginError, match=r"some_factories\.py: invalid syntax"):
        checked("def", "anything")


@pytest.mark.parametrize("module", ["no_such_module", "no_such.package", "math.nothing"])
def test_a_missing_module_is_reported(checked, module):
    with pytest.raises(PluginError, match=f"there is no module '{module}'"):
        checked(SOURCE, "x", module)


def test_a_module_without_source_passes(checked):
    checked(SOURCE, "anything", "math")
