"""`latelier plugins new`: the start of a plugin."""

from pathlib import Path
from typing import Annotated

import typer

from latelier.scaffold.writing import PluginKind


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
    from latelier.scaffold.writing import write_plugin

    typer.echo(write_plugin(name, kind, folder, author))
