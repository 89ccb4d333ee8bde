"""The report of samples that could not be used: `data-report.jsonl` in the folder of the run."""

import json
from contextlib import suppress
from pathlib import Path

from latelier.io.lines import append_line

REPORT_FILE = "data-report.jsonl"


class DataReport:
    """Appends one line for each sample that was replaced, with the reason.

    Several data workers append to the file; a sample is in it once for each of them at most. A line
    that cannot be written is left out.
    """

    def __init__(self, path: Path | None) -> None:
        """Create the report; without a path nothing is written."""
        self._path = path
        self._reported: set[tuple[str, str]] | None = None

    def add(self, source: str, sample: str, reason: str) -> None:
        """Report a sample that was replaced by another one."""
        if self._path is None or not self._path.parent.is_dir():
            return  # before the run has begun nothing is written
        if self._reported is None:
            self._reported = _read_reported(self._path)
        if (source, sample) in self._reported:
            return
        self._reported.add((source, sample))
        line = json.dumps({"source": source, "sample": sample, "reason": reason})
        with suppress(OSError):  # a full disk costs a line, not the run
            append_line(self._path, line)


def _read_reported(path: Path) -> set[tuple[str, str]]:
    """Return the samples that an earlier part of the run has reported."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    reported = set()
    for line in lines:
        try:
            values = json.loads(line)
            reported.add((values["source"], values["sample"]))
        except (ValueError, KeyError, TypeError):  # the line that a killed process cut short
            continue
    return reported
