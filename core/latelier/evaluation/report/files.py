"""The files of a report: results.json, results.csv and results.md."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from latelier.evaluation.published.table import PublishedTable
from latelier.evaluation.report.markdown import describe_comparison, to_markdown
from latelier.evaluation.report.results import Results
from latelier.io.atomic import write_bytes, write_json

_COLUMNS: tuple[str, ...] = (
    "model", "pictures", "measure", "name", "network", "value", "low", "high", "count", "unit",
    "better", "note",
)  # fmt: skip


def write_report(
    results: Results, folder: Path, published: Sequence[PublishedTable] = ()
) -> list[Path]:
    """Write results.json, results.csv and results.md to a folder, and return their paths.

    Args:
        results: of a run.
        folder: is made if it is missing; files of these names are replaced.
        published: tables of the paper with which the Markdown compares the run.

    Raises:
        OSError: a file cannot be written.
    """
    paths = _name_files(folder)
    write_json(paths[0], results.to_json())
    write_bytes(paths[1], to_csv([results]).encode())
    write_bytes(paths[2], to_markdown(results, published).encode())
    return paths


def write_comparison(runs: Sequence[Results], folder: Path) -> list[Path]:
    """Write the files of `write_report` for several runs with the same measures.

    Raises:
        OSError: a file cannot be written.
    """
    paths = _name_files(folder)
    write_json(paths[0], {"runs": [run.to_json() for run in runs]})
    write_bytes(paths[1], to_csv(runs).encode())
    write_bytes(paths[2], describe_comparison(runs).encode())
    return paths


def to_csv(runs: Sequence[Results]) -> str:
    """Return a line for each figure of each run, below a line of heads."""
    text = io.StringIO()
    table = csv.DictWriter(text, _COLUMNS, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    for run in runs:
        for each in run.figures:
            table.writerow({"model": run.model, "pictures": run.pictures, **each.to_json()})
    return text.getvalue()


def _name_files(folder: Path) -> list[Path]:
    return [folder / f"results.{suffix}" for suffix in ("json", "csv", "md")]
