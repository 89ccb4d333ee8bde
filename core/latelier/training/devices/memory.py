"""The memory of trainings on a CPU."""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MAP_THRESHOLD = -1, -3
"""Numbers of mallopt's parameters (malloc.h)."""

_NEVER = -1
_LARGE = 2**30
_DEFAULT = 2**25
"""32 MiB: up to here glibc raises its threshold by itself."""


@contextmanager
def keep_freed_memory() -> Iterator[None]:
    """Keep freed memory for the next step while inside, on Linux with glibc.

    A step frees its activations, and the next one allocates as much again. By default glibc returns
    large blocks to the system, which clears their pages at the next use: 7 % of the processor time
    of a small denoiser's step, 11,000 page faults.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    if not libc.mallopt(_MAP_THRESHOLD, _LARGE):
        libc.mallopt(_MAP_THRESHOLD, _DEFAULT)  # older versions refuse more
    libc.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        libc.mallopt(_MAP_THRESHOLD, _DEFAULT)
        libc.mallopt(_TRIM_THRESHOLD, 2 * _DEFAULT)
        libc.malloc_trim(0)
