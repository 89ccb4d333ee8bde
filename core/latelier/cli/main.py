"""The entry point of the command line."""

import atexit
import gc
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.main import get_command

from latelier._version import __version__
from latelier.cli.support.lazy import LazyGroup, new_app

app = new_app(cls=LazyGroup)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"latelier {__version__}")
        raise typer.Exit


@app.callback()
def latelier(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", envvar="LATELIER_DEBUG", help="Show tracebacks of errors.")
    ] = False,
) -> None:
    """Make images with latent diffusion, out of parts that anyone can add."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, and exit with its status.

    0 is success, 1 a finding (a replay that differs, a plugin with a warning), 2 an error, 130 an
    interrupt.
    """
    # What is alive at the end dies with the process: to look for cycles among torch's objects once
    # more would take the interpreter half a second.
    atexit.register(gc.freeze)
    get_command(app).main(arguments, prog_name="latelier")
