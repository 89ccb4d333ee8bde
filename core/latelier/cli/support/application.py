"""The atelier of a command; its warnings go to the standard error."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from latelier.kernel.atelier import Atelier


class _StderrHandler(logging.Handler):
    """Writes one line per record, in the words of `describe`."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.describe: Callable[[str], str] = str

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        message = self.describe(record.getMessage())
        typer.echo(f"{record.levelname.lower()}: {message}", err=True)


_handler = _StderrHandler()


def load_atelier(describe: Callable[[str], str] = str) -> "Atelier":
    """Return the default atelier, with a warning for each plugin that it cannot load.

    Args:
        describe: puts warnings into the words of the command.
    """
    from latelier.kernel.default import default_atelier

    _handler.describe = describe
    logging.getLogger("latelier").addHandler(_handler)  # twice is once
    return default_atelier()
