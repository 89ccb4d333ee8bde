"""The log of a run: `log.jsonl`, one JSON object a line, with "step" or "event"."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from latelier.io.lines import append_line

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

    def write(self, values: Mapping[str, Any]) -> None:
        """Append one line, with the time in seconds since 1970."""
        if self._path is None:
            return
        line = {**values, "time": round(time.time(), 1)}
        try:
            append_line(self._path, json.dumps(line))
            self.failure = None
        except OSError as error:
            self.failure = error
        for listener in list(self._listeners):
            try:
                listener(line)
            except OSError as error:
                self.failure = error
                self._listeners.remove(listener)  # TensorBoard writes nothing after an error


def read_line(text: str | bytes) -> dict[str, Any] | None:
    """Return a line of a log; None for half a line, which a killed process has left."""
    try:
        line: dict[str, Any] = json.loads(text)
    except ValueError:
        return None
    return line


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a log that are still true, the earliest first.

    A run that is resumed from an earlier step repeats steps. Of those the last lines count, and
    half lines, which a killed process leaves, are left out.
    """
    lines: list[dict[str, Any]] = []
    with path.open(encoding="utf-8", errors="replace") as file:
        for text in file:
            line = read_line(text)
            if line is None:
                continue
            if line.get("event") == "resumed":
                lines = [each for each in lines if each.get("step", 0) <= line["step"]]
            lines.append(line)
    yield from lines
