"""A comparison as a CSV table."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from latelier.evaluation.sampling.comparison import Measurement
from latelier.io.atomic import write_bytes


def write_csv(measured: Sequence[Measurement], path: Path) -> None:
    """Write a line for each measurement, under the names of its fields."""
    text = io.StringIO()
    table = csv.DictWriter(text, [field.name for field in fields(Measurement)], lineterminator="\n")
    table.writeheader()
    table.writerows(asdict(each) for each in measured)
    write_bytes(path, text.getvalue().encode())
