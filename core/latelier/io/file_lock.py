"""A lock between processes, for files that several of them change."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_held: set[int] = set()
"""Descriptors of the folders that this process has claimed."""


@contextmanager
def hold_lock(folder: Path) -> Iterator[None]:
    """Wait for the lock of a folder and hold it; the system releases it if the process dies.

    A file system without locks is not locked. The folder is made if it is missing.

    Raises:
        OSError: the folder cannot be made or opened.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if os.name == "nt":  # which neither opens folders nor has this kind of lock
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def claim(folder: Path) -> Iterator[None]:
    """Hold the lock of an existing folder, or fail at once if another process holds it.

    The lock ends with this process, even if processes that it has forked live on, such as data
    workers after a kill. A file system without locks is not locked.

    Raises:
        BlockingIOError: another process holds the lock.
        OSError: the folder cannot be opened.
    """
    if os.name == "nt":
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    _held.add(descriptor)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        if descriptor in _held:  # not in a forked process
            _held.remove(descriptor)
            os.close(descriptor)


def _close_in_child() -> None:
    """Close what a forked process inherits: it would keep the lock."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)
