"""Standard output of commands: lines, JSON, or columns that other tools can cut.

Standard output carries results only. While a command runs, everything else that prints to it
(plugins, libraries) goes to standard error, so that JSON stays JSON.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from contextvars import ContextVar
from typing import Annotated, Any, TextIO

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
"""The option --json of many commands."""

_results: ContextVar[TextIO | None] = ContextVar("results", default=None)


@contextmanager
def reserve_stdout() -> Iterator[None]:
    """Keep standard output for the functions below; all other output goes to standard error."""
    with _move_descriptor() as results:
        token = _results.set(results)
        try:
            with redirect_stdout(sys.stderr):
                yield
        finally:
            _results.reset(token)


@contextmanager
def _move_descriptor() -> Iterator[TextIO]:
    """Yield a stream to standard output, whose descriptor leads to standard error meanwhile.

    Libraries in C and child processes write to the descriptor itself.
    """
    try:
        if sys.stdout.fileno() != 1:
            raise OSError("a test or a host has replaced sys.stdout")
        sys.stdout.flush()
        results = os.fdopen(os.dup(1), "w", encoding=sys.stdout.encoding, errors=_errors())
        os.dup2(2, 1)
    except (AttributeError, OSError):  # a closed sys.stdout is None
        yield sys.stdout
        return
    try:
        yield results
    finally:
        with suppress(OSError):  # `show_line` has flushed every result, and raised its errors
            results.flush()
        os.dup2(results.fileno(), 1)
        with suppress(OSError):
            results.close()


def _errors() -> str | None:
    """Return how to write a path that the encoding cannot express: a result is never an error."""
    return "backslashreplace" if sys.stdout.errors == "strict" else sys.stdout.errors


def show_line(value: object) -> None:
    """Print one line."""
    typer.echo(value, file=_results.get())


def show_json(value: Any) -> None:
    """Print a value as indented JSON."""
    show_line(json.dumps(value, indent=2, ensure_ascii=False))


def show_columns(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table, each column as wide as its widest cell."""
    lines = [[str(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        show_line("  ".join(cells).rstrip())


def show_fields(fields: Sequence[tuple[str, Any]], indent: int = 0) -> None:
    """Print names and values, one pair per line, without empty values."""
    width = max((len(name) for name, _ in fields), default=0)
    for name, value in fields:
        if value not in (None, ""):
            show_line(f"{' ' * indent}{name.ljust(width)}  {value}")
