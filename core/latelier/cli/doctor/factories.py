"""Check that the factory of a component exists, without importing it (that may import torch)."""

import ast
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from latelier.contracts.errors import PluginError
from latelier.contracts.messages import suggestion
from latelier.kernel.spec import ComponentSpec


def check_factory(spec: ComponentSpec) -> None:
    """Check that the module of a factory exists and that its source binds the factory's name.

    A module without Python source, or one that creates names dynamically, passes unchecked.

    Raises:
        PluginError: the module or the name does not exist.
    """
    if spec.factory is None:
        return
    module, attribute = spec.factory.split(":")
    source = _find_source(module, spec)
    if source is None:
        return
    try:
        names = set(_bound_names(ast.parse(source.read_bytes()).body))
    except (SyntaxError, ValueError) as error:
        raise PluginError(f"component '{spec.id}': {source}: {error}") from None
    if attribute not in names and names.isdisjoint({"*", "__getattr__"}):
        public = [name for name in names if not name.startswith("_")]
        raise PluginError(
            f"component '{spec.id}': '{module}' has no '{attribute}'. "
            f"{suggestion(attribute, public)}"
        )


def _find_source(module: str, spec: ComponentSpec) -> Path | None:
    """Return the Python file of a module, or None if it has no Python source."""
    try:
        found = find_spec(module)
    except ImportError:
        found = None
    if found is None:
        raise PluginError(f"component '{spec.id}': there is no module '{module}'")
    return Path(found.origin) if found.origin and found.origin.endswith(".py") else None


def _bound_names(body: Sequence[ast.stmt]) -> Iterator[str]:
    """Yield the names that the statements of a module bind."""
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name):
                yield name
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from ((each.asname or each.name).partition(".")[0] for each in names)
            case _:
                yield from (
                    each.id
                    for each in ast.walk(statement)
                    if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
                )
                for part in ("body", "orelse", "finalbody"):
                    yield from _bound_names(getattr(statement, part, []))
                for handler in getattr(statement, "handlers", []):
                    yield from _bound_names(handler.body)
