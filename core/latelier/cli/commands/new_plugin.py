"""`latelier plugins new`: the start of a plugin."""

from pathlib import Path
from typing import Annotated

import typer

from latelier.scaffold.kinds import PluginKind


def new(
    name: Annotated[str, typer.Argument(help="Of the component, such as 'palette'.")],
    kind: Annotated[PluginKind, typer.Option(help="Of the component.")],
    folder: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the folder latelier-NAME is made.")
    ] = Path(),
    author: Annotated[str, typer.Option(help="For the licence.")] = "the authors",
) -> None:
    """Write a whole distribution that installs and passes the conformance kit.

    The path of its folder is written; nothing that is there is replaced.
    """
    from latelier.cli.support.application import atelier
    from latelier.contracts.errors import InvalidInputError
    from latelier.scaffold.writing import write_plugin

    registry = atelier().registry(kind.replace("-", "_"))  # type: ignore[arg-type]
    if name in registry.names():
        raise InvalidInputError(
            f"'{name}' is a {kind} of {registry.spec(name).distribution} already; choose another "
            "name, or everybody has to write the full id"
        )
    made = write_plugin(name, kind, folder, author)
    typer.echo(made)
    typer.echo(f"next: cd {made}; pip install -e '.[dev]'; pytest", err=True)
