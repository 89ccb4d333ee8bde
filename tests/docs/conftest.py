"""Fixtures of several files: the blocks of a page of the documentation, run, and the tools."""

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="session")
def import_tool() -> Callable[[str], ModuleType]:
    """Return a function that imports a script of the folder `tools`, which is no package."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def run_page() -> Callable[[str], tuple[dict[str, Any], list[str]]]:
    """Return a function that runs the Python blocks of a page, one after another.

    It returns the names that they leave behind, and the lines that they print.
    """

    def run(page: str) -> tuple[dict[str, Any], list[str]]:
        lines: list[str] = []
        names: dict[str, Any] = {"print": lambda *values: lines.append(" ".join(map(str, values)))}
        for block in re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL):
            exec(compile(block, page, "exec"), names)
        return names, lines

    return run
