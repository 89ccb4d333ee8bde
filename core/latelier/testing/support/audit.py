"""Records what code does to the machine: connections, processes, changes of files."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PROCESSES = (
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "os.startfile",
    "os.system",
    "pty.spawn",
    "subprocess.Popen",
)
_CHANGES = {
    "os.chmod": 1,
    "os.chown": 1,
    "os.link": 2,
    "os.mkdir": 1,
    "os.remove": 1,
    "os.rename": 2,
    "os.rmdir": 1,
    "os.symlink": 2,
    "os.truncate": 1,
    "os.utime": 1,
}
"""Audit events that change files -> how many of their first arguments are paths."""

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class BlockedError(Exception):
    """Watched code was about to open a connection or to start a process."""


@dataclass
class Activity:
    """What watched code did, as readable texts.

    Attributes:
        folder: files in it may be written.
        connections: attempts to use the network.
        processes: attempts to start a process.
        writes: paths of files that were changed outside of `folder`.
        opened: paths of all files that were opened.
    """

    folder: Path
    connections: list[str] = field(default_factory=list)
    processes: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)

    def record(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Record an audit event of Python's, if it is relevant.

        Raises:
            BlockedError: the event would open a connection or start a process.
        """
        if event.startswith("socket.") and event != "socket.gethostname":
            self.connections.append(f"{event}{arguments[1:]!r:.120}")
            raise BlockedError(event)
        if event in _PROCESSES:
            self.processes.append(f"{event}{arguments!r:.120}")
            raise BlockedError(event)
        if event == "open":
            self.opened.append(_to_text(arguments[0]))
        self.writes.extend(
            path for path in _changed_paths(event, arguments) if not _is_allowed(path, self.folder)
        )


_active: list[Activity] = []
"""Of the watches that run now. An audit hook cannot be removed, so one hook serves them all."""

_hooks: list[bool] = []


@contextmanager
def watch(folder: Path) -> Iterator[Activity]:
    """Record what the code inside does, and keep it from the network and from new processes.

    Code that is blocked there ends the block without an error. Files may be written in `folder`,
    and bytecode anywhere.
    """
    if not _hooks:
        sys.addaudithook(_record_everywhere)
        _hooks.append(True)
    activity = Activity(folder.resolve())
    _active.append(activity)
    try:
        yield activity
    except BlockedError:
        pass
    finally:
        _active.remove(activity)


def _record_everywhere(event: str, arguments: tuple[Any, ...]) -> None:
    for activity in _active:
        activity.record(event, arguments)


def _changed_paths(event: str, arguments: tuple[Any, ...]) -> list[str]:
    if event == "open":
        path, _, flags = arguments
        is_write = isinstance(flags, int) and flags & _WRITES
        return [_to_text(path)] if is_write and not isinstance(path, int) else []
    paths = arguments[: _CHANGES.get(event, 0)]
    return [_to_text(path) for path in paths if not isinstance(path, int)]


def _to_text(path: Any) -> str:
    return os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else str(path)


def _is_allowed(path: str, folder: Path) -> bool:
    place = Path(path).absolute()
    if str(place) == os.devnull or "__pycache__" in place.parts:
        return True
    return folder in (place, *place.parents) or folder in place.resolve().parents
