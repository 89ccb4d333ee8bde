"""The atelier of a command, and what it warns of."""

import logging
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from latelier.kernel.atelier import Atelier


class _Warnings(logging.Handler):
    """Writes what the package logs to the standard error, a line each."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one."""
        typer.echo(f"{record.levelname.lower()}: {record.getMessage()}", err=True)


def atelier() -> "Atelier":
    """Return the default atelier; a plugin that it leaves out is warned of."""
    from latelier.kernel.default import default_atelier

    logger = logging.getLogger("latelier")
    if not any(isinstance(handler, _Warnings) for handler in logger.handlers):
        logger.addHandler(_Warnings(logging.WARNING))
    return default_atelier()
