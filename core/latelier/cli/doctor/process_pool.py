"""Run subprocesses and kill their whole process group."""

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import IO


class ProcessPool:
    """Runs commands from several threads, each in a session of its own.

    A command has no terminal and no input. When it ends or times out, its whole process group is
    killed, and with it every child that stayed in that session.
    """

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()

    def run(self, command: Sequence[str], stderr: IO[bytes], timeout: float) -> int | None:
        """Run a command and return its exit status, or None if it exceeds `timeout` seconds."""
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
            _kill_group(process)
            process.wait()

    def kill(self) -> None:
        """Kill every running command: Ctrl-C at the terminal does not reach their sessions."""
        for process in tuple(self._running):
            _kill_group(process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if not hasattr(os, "killpg"):  # Windows has no process groups
        process.kill()
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
