"""The atelier of a command, and what it warns of."""

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from latelier.kernel.atelier import Atelier


def atelier() -> "Atelier":
    """Return the default atelier; its warnings go to the standard error, a line each."""
    from latelier import default_atelier

    logger = logging.getLogger("latelier")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("warning: %(message)s"))
        logger.addHandler(handler)
        logger.propagate = False
    return default_atelier()
