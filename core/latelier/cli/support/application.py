"""The atelier of a command; its warnings go to the standard error."""

import logging
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from latelier.kernel.atelier import Atelier


class _StderrHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Write one line per record. A warning about a request names options, not fields."""
        message = record.getMessage()
        if "`" in message:
            from latelier.cli.options.option_help import with_option_names

            message = with_option_names(message)
        typer.echo(f"{record.levelname.lower()}: {message}", err=True)


def load_atelier() -> "Atelier":
    """Return the default atelier, with a warning for each plugin that it cannot load."""
    from latelier.kernel.default import default_atelier

    logger = logging.getLogger("latelier")
    if not any(isinstance(handler, _StderrHandler) for handler in logger.handlers):
        logger.addHandler(_StderrHandler(logging.WARNING))
    return default_atelier()
