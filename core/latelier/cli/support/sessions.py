"""Running commands of which nothing lives on, whatever they start."""

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import IO


class Sessions:
    """Runs commands, in several threads at once.

    Each has a session of its own: it can ask for nothing at the terminal, and whatever it starts
    ends with it, but for what leaves that session.
    """

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()

    def status(self, command: Sequence[str], stderr: IO[bytes], timeout: float) -> int | None:
        """Return how a command ended, or None if it took longer than `timeout` seconds."""
        process = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )
        self._running.add(process)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:
            self._running.discard(process)
            _end(process)
            process.wait()

    def end(self) -> None:
        """End all that run: an interrupt at the terminal does not reach them."""
        for process in tuple(self._running):
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if not hasattr(os, "killpg"):  # where there are no sessions
        process.kill()
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
