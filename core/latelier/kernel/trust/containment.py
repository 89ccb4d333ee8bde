"""Running the code of a plugin without side effects on the host."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path

_log = logging.getLogger(__name__)


@contextmanager
def contain_side_effects(plugin: str) -> Iterator[None]:
    """Send what a plugin prints to the standard error, and keep the working directory.

    The standard output belongs to the host, which may write JSON there. Paths that a user typed are
    relative to the directory in which they were typed.
    """
    directory = None
    with suppress(OSError):  # it may be deleted
        directory = Path.cwd()
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        with suppress(OSError):
            if directory is not None and Path.cwd() != directory:
                os.chdir(directory)
                _log.warning("plugin '%s' changed the working directory; it is restored", plugin)
