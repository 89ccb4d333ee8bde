"""The log of a run: `log.jsonl`, one JSON object a line, with "step" or "event"."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

Listener = Callable[[Mapping[str, Any]], None]
"""Receives each line of the log as it is written."""


class TrainingLog:
    """Appends lines to the log of a run. A full disk does not stop the run.

    Attributes:
        failure: Why the last line could not be written; None if it was.
    """

    def __init__(self, path: Path | None, listeners: list[Listener] | None = None) -> None:
        """Open a log; `path` None writes nothing, as in all processes but the first."""
        self.failure: OSError | None = None
        self._path = path
        self._listeners = listeners or []
        if path is not None:
            _end_last_line(path)

    def write(self, values: Mapping[str, Any]) -> None:
        """Append one line, with the time in seconds since 1970."""
        if self._path is None:
            return
        line = {**values, "time": round(time.time(), 1)}
        end_of_last = "" if self.failure is None else "\n"  # a full disk may have half of it
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{end_of_last}{json.dumps(line)}\n")
            self.failure = None
        except OSError as error:
            self.failure = error
        for listener in list(self._listeners):
            try:
                listener(line)
            except OSError as error:
                self.failure = error
                self._listeners.remove(listener)  # TensorBoard writes nothing after an error


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a log that are still true, the earliest first.

    A run that is resumed from an earlier step repeats steps. Of those the last lines count, and
    half lines, which a killed process leaves, are left out.
    """
    lines: list[dict[str, Any]] = []
    with path.open(encoding="utf-8", errors="replace") as file:
        for text in file:
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if line.get("event") == "resumed":
                lines = [each for each in lines if each.get("step", 0) <= line["step"]]
            lines.append(line)
    yield from lines


def _end_last_line(path: Path) -> None:
    """End the line that a killed process left half written."""
    if path.exists() and path.read_bytes()[-1:] not in (b"", b"\n"):
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")
