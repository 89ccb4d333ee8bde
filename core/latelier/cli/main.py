"""The entry point of the command line."""

import atexit
import gc
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.main import get_command

from latelier._version import __version__
from latelier.cli.support.lazy import INTERRUPTED, LazyGroup, LightTyper

app = LightTyper(cls=LazyGroup)


def _show_version(requested: bool) -> None:
    if requested:
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
    """Generate images with latent diffusion, from components that anyone can add."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status.

    0 is success, 1 a finding (a replay that differs, a plugin with a warning), 2 an error, 130 an
    interrupt.
    """
    # Everything dies with the process: without this the interpreter spends half a second at its
    # end on a search for cycles among torch's objects.
    atexit.register(gc.freeze)
    if sys.stderr is None:  # `2>&-` closed it; libraries do not expect that
        # It also takes the free descriptor, to which C libraries write: no result may have it.
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    try:
        get_command(app).main(arguments, prog_name="latelier")
    except KeyboardInterrupt:  # outside of the command, such as while an error is printed
        sys.exit(INTERRUPTED)
