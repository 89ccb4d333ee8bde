"""Limits on the subprocess that reads a pickle: memory, time, and where it may write.

The readers run nothing that a pickle names. The limits are a second line of defence, for a
fault in a reader.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MEBIBYTE = 2**20
_FORBIDDEN = (
    "os.system",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.startfile",
    "subprocess.Popen",
    "socket.",
    "ctypes.dlopen",
    "shutil.",
    "webbrowser.",
)
_CHANGING = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod")


@dataclass(frozen=True)
class Limits:
    """What a process may use from now on.

    Attributes:
        memory: bytes of address space, in addition to those in use.
        seconds: of processor time.
        written: bytes of one file.
    """

    memory: int
    seconds: int
    written: int


def limits_for(length: int) -> Limits:
    """Return the limits for reading a file of `length` bytes."""
    return Limits(
        memory=1024 * _MEBIBYTE + 6 * length,
        seconds=120 + length // (10 * _MEBIBYTE),
        written=64 * _MEBIBYTE + 4 * length,
    )


def confine(limits: Limits, folder: Path) -> None:
    """Limit this process, and let it write in `folder` alone.

    Windows has no limits on processes; there only the second holds.
    """
    _limit(limits)
    within = str(folder.resolve())

    def refuse(event: str, arguments: Any) -> None:
        if event.startswith(_FORBIDDEN):
            raise PermissionError(f"reading a pickle does not need '{event}'")
        writes = event == "open" and _opens_to_write(arguments)
        if (writes or event in _CHANGING) and not _is_within(arguments[0], within):
            raise PermissionError(f"reading a pickle does not write '{arguments[0]}'")

    sys.addaudithook(refuse)


def _limit(limits: Limits) -> None:
    try:
        import resource
    except ImportError:
        return
    spent = int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
    bounds = {
        resource.RLIMIT_AS: _mapped() + limits.memory,
        resource.RLIMIT_CPU: spent + limits.seconds,
        resource.RLIMIT_FSIZE: limits.written,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in bounds.items():
        _, hard = resource.getrlimit(kind)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bound, bound))


def _mapped() -> int:
    """Return the bytes of address space in use, most of them the code of libraries."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return 16 * 1024 * _MEBIBYTE
    return pages * os.sysconf("SC_PAGE_SIZE")


def _opens_to_write(arguments: Any) -> bool:
    _, mode, flags = arguments
    if isinstance(mode, str) and set(mode) & set("wax+"):
        return True
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))


def _is_within(path: Any, folder: str) -> bool:
    if not isinstance(path, str | bytes | os.PathLike):
        return False
    return Path(os.path.abspath(os.fsdecode(path))).is_relative_to(folder)  # noqa: PTH100
