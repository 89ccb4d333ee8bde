"""The scripts in benchmarks/ and in those of plugins import what there is."""

import ast
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = [ROOT / "benchmarks", *sorted(ROOT.glob("plugins/*/benchmarks"))]
SCRIPTS = [
    path
    for folder in FOLDERS
    for path in sorted(folder.glob("*.py"))
    if not path.stem.startswith("__")
]


def list_imports(path: Path) -> Iterator[tuple[str, str | None]]:
    """Yield each module that a script imports, and each name that it takes from one."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((each.name, None) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", each.name) for each in node.names)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_what_a_script_imports_is_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(path.parents[1])  # the plugin may not be installed
    monkeypatch.syspath_prepend(path.parent)  # as where a script runs
    for module, name in list_imports(path):
        assert find_spec(module) is not None, module
        if name is not None and module.partition(".")[0] == "latelier":
            assert hasattr(import_module(module), name), f"{module}.{name}"
