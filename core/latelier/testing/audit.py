"""What code does to the machine while it is watched: connections, processes, files written."""

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
"""Events that change files, with how many of their first arguments are paths."""

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class StoppedError(Exception):
    """Watched code was about to open a connection or to start a process."""


@dataclass
class Deeds:
    """What was done, each in words. Files under `folder` may be written."""

    folder: Path
    connections: list[str] = field(default_factory=list)
    processes: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)

    def note(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note an audit event of Python's, if it is one that counts.

        Raises:
            StoppedError: it is a connection or a process, which must not come about.
        """
        if event.startswith("socket.") and event != "socket.gethostname":
            self.connections.append(f"{event}{arguments[1:]!r:.120}")
            raise StoppedError(event)
        if event in _PROCESSES:
            self.processes.append(f"{event}{arguments!r:.120}")
            raise StoppedError(event)
        self.writes.extend(
            path for path in _changed(event, arguments) if not _is_allowed(path, self.folder)
        )


_watching: list[Deeds] = []
"""Those who are told; audit hooks cannot be taken away again, so one serves all."""

_hooked: list[bool] = []


@contextmanager
def watched(folder: Path) -> Iterator[Deeds]:
    """Watch what the code inside does, and keep it from the network and from other processes.

    Code that is stopped there is left; what it did is in what is yielded. Imports may write
    bytecode, and anybody below `folder`.
    """
    if not _hooked:
        sys.addaudithook(_tell)
        _hooked.append(True)
    deeds = Deeds(folder.resolve())
    _watching.append(deeds)
    try:
        yield deeds
    except StoppedError:
        pass
    finally:
        _watching.remove(deeds)


def _tell(event: str, arguments: tuple[Any, ...]) -> None:
    for deeds in _watching:
        deeds.note(event, arguments)


def _changed(event: str, arguments: tuple[Any, ...]) -> list[str]:
    if event == "open":
        path, _, flags = arguments
        written = isinstance(flags, int) and flags & _WRITES
        return [_text(path)] if written and not isinstance(path, int) else []
    paths = arguments[: _CHANGES.get(event, 0)]
    return [_text(path) for path in paths if not isinstance(path, int)]


def _text(path: Any) -> str:
    return os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else str(path)


def _is_allowed(path: str, folder: Path) -> bool:
    place = Path(path).absolute()
    if str(place) == os.devnull or "__pycache__" in place.parts:
        return True
    return folder in (place, *place.parents) or folder in place.resolve().parents
