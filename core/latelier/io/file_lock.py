"""A lock between processes, for files that several of them change."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


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

    A file system without locks is not locked.

    Raises:
        BlockingIOError: another process holds the lock.
        OSError: the folder cannot be opened.
    """
    if os.name == "nt":
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(descriptor)
