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
    """Send what a plugin prints to the standard error, and restore the state of the process.

    The standard output belongs to the host, which may write JSON there. Paths that a user typed are
    relative to the directory in which they were typed. A library that ignores interrupts would make
    the host impossible to stop. The permissions of new files are the user's choice. Environment
    variables that a plugin adds or changes are kept: libraries configure themselves by them.
    """
    with (
        _keep_working_directory(plugin),
        _keep_interrupt_handler(plugin),
        _keep_umask(plugin),
        _keep_environment(plugin),
        redirect_stdout(sys.stderr),
    ):
        yield


@contextmanager
def _keep_working_directory(plugin: str) -> Iterator[None]:
    directory = _working_directory()
    try:
        yield
    finally:
        if directory is not None and _working_directory() != directory:
            with suppress(OSError):
                os.chdir(directory)
                _log.warning("plugin '%s' changed the working directory; it is restored", plugin)


@contextmanager
def _keep_interrupt_handler(plugin: str) -> Iterator[None]:
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) != on_interrupt:
            with suppress(ValueError, TypeError):  # another thread, or a handler not of Python
                signal.signal(signal.SIGINT, on_interrupt)
                _log.warning("plugin '%s' changed the handler of Ctrl-C; it is restored", plugin)


@contextmanager
def _keep_umask(plugin: str) -> Iterator[None]:
    umask = _umask()
    try:
        yield
    finally:
        if _umask() != umask:
            os.umask(umask)
            _log.warning("plugin '%s' changed the umask; it is restored", plugin)


@contextmanager
def _keep_environment(plugin: str) -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        removed = sorted(before.keys() - os.environ.keys())
        if removed:
            os.environ.update({name: before[name] for name in removed})
            names = ", ".join(removed[:3]) + (" ..." if len(removed) > 3 else "")
            _log.warning("plugin '%s' removed environment variables; restored: %s", plugin, names)


def _umask() -> int:
    """Return the umask. It can only be read by setting it, here to the strictest for an instant."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _working_directory() -> Path | None:
    with suppress(OSError):  # it may be deleted
        return Path.cwd()
    return None
