"""`latelier plugins new`: create a plugin package."""

from pathlib import Path
from typing import Annotated

import typer

from latelier.cli.support.output import show_line
from latelier.scaffold.kinds import PluginKind


def new(
    name: Annotated[str, typer.Argument(help="Name of the component, such as 'palette'.")],
    kind: Annotated[PluginKind, typer.Option(help="Kind of the component.")],
    folder: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="Parent of the new folder latelier-NAME."),
    ] = Path(),
    author: Annotated[str, typer.Option(help="Holder of the licence.")] = "the authors",
) -> None:
    """Create a plugin package that passes the conformance kit.

    Print the path of its folder. Existing files are never replaced.
    """
    from latelier.cli.support.foreign_plugins import skip_absent_plugins

    skip_absent_plugins()
    from latelier.cli.support.application import load_atelier
    from latelier.contracts.errors import InvalidInputError
    from latelier.scaffold.writing import write_plugin

    registry = load_atelier().registries[kind.replace("-", "_")]  # type: ignore[index]
    if name in registry.names():
        raise InvalidInputError(
            f"'{name}' is already a {kind} of {registry.spec(name).distribution}; choose another "
            "name, or users must type the full id"
        )
    path = write_plugin(name, kind, folder, author)
    show_line(path)
    typer.echo(f"next: cd {path}; pip install -e '.[dev]'; pytest", err=True)
