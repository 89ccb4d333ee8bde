"""Whether the factory of a component is there, without importing it: that would import torch."""

import ast
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from latelier.contracts.errors import PluginError, suggestion
from latelier.kernel.spec import ComponentSpec


def check_factory(spec: ComponentSpec) -> None:
    """Check that the module of a factory is there, and that its source names what is asked of it.

    What has no source, or makes names as it goes, is taken at its word.

    Raises:
        PluginError: it is not; says what is.
    """
    if spec.factory is None:
        return
    module, attribute = spec.factory.split(":")
    try:
        found = find_spec(module)
    except ImportError:
        found = None
    if found is None:
        raise PluginError(f"component '{spec.id}': there is no module '{module}'")
    if found.origin is None or not found.origin.endswith(".py"):
        return
    try:
        names = set(_named(ast.parse(Path(found.origin).read_bytes()).body))
    except (SyntaxError, ValueError) as error:
        raise PluginError(f"component '{spec.id}': {found.origin}: {error}") from None
    if attribute not in names and names.isdisjoint({"*", "__getattr__"}):
        public = [name for name in names if not name.startswith("_")]
        raise PluginError(
            f"component '{spec.id}': '{module}' has no '{attribute}'. "
            f"{suggestion(attribute, public)}"
        )


def _named(body: Sequence[ast.stmt]) -> Iterator[str]:
    """Yield the names that a module's statements bind."""
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
                    yield from _named(getattr(statement, part, []))
                for handler in getattr(statement, "handlers", []):
                    yield from _named(handler.body)
