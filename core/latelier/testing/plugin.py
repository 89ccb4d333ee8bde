"""The pytest plugin: at the end of a run it tells what each component costs that was tested.

pytest imports it wherever latelier is installed, so neither it nor its package imports anything
heavy. The package has the assertions of the contracts rewritten, so that failures show values.
"""

from collections.abc import Iterator
from typing import Any

_COLUMNS = ("component", "parameters", "milliseconds", "bytes")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tell what each component costs that was tested."""
    rows = list(_costs(terminalreporter.stats.get("passed", [])))
    if rows:
        terminalreporter.section("what latelier's components cost")
        width = max(len(str(row[0])) for row in rows)
        for id_, parameters, milliseconds, size in rows:
            terminalreporter.write_line(
                f"{id_:<{width}}  {parameters:>12,} parameters  {milliseconds:>9} ms a call  "
                f"{size:>10,} bytes"
            )


def _costs(reports: list[Any]) -> Iterator[tuple[Any, ...]]:
    for report in reports:
        told = dict(getattr(report, "user_properties", ()))
        if "latelier_component" in told and report.when == "call":
            yield tuple(told[f"latelier_{name}"] for name in _COLUMNS)
