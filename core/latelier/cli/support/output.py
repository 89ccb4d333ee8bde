"""What commands write to the standard output: JSON, or columns that other tools can cut."""

import json
from collections.abc import Sequence
from typing import Any

import typer


def show_json(value: Any) -> None:
    """Write a value as indented JSON."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def show_columns(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write rows under their heads, each column as wide as its widest cell."""
    lines = [[str(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def show_fields(fields: Sequence[tuple[str, Any]], indent: int = 0) -> None:
    """Write names and values, one to a line; a field without a value is left out."""
    width = max((len(name) for name, _ in fields), default=0)
    for name, value in fields:
        if value not in (None, ""):
            typer.echo(f"{' ' * indent}{name.ljust(width)}  {value}")
