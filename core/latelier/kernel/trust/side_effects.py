"""Running the code of a plugin without side effects on the host."""

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path

_log = logging.getLogger(__name__)


@contextmanager
def contain_side_effects(plugin: str) -> Iterator[None]:
    """Send what a plugin prints to the standard error; keep the working directory and Ctrl-C.

    The standard output belongs to the host, which may write JSON there. Paths that a user typed are
    relative to the directory in which they were typed. A library that ignores interrupts would make
    the host impossible to stop.
    """
    directory = _working_directory()
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if directory is not None and _working_directory() != directory:
            with suppress(OSError):
                os.chdir(directory)
                _log.warning("plugin '%s' changed the working directory; it is restored", plugin)
        if signal.getsignal(signal.SIGINT) != on_interrupt:
            with suppress(ValueError, TypeError):  # another thread, or a handler not of Python
                signal.signal(signal.SIGINT, on_interrupt)
                _log.warning("plugin '%s' changed the handler of Ctrl-C; it is restored", plugin)


def _working_directory() -> Path | None:
    with suppress(OSError):  # it may be deleted
        return Path.cwd()
    return None
