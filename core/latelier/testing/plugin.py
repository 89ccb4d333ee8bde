"""The pytest plugin: reports the cost of each tested component at the end of a run.

pytest imports it wherever latelier is installed, so neither this module nor its package imports
anything heavy. The package has the contracts' assertions rewritten, so that failures show values.
"""

from collections.abc import Iterator
from typing import Any

_COLUMNS = ("component", "parameters", "milliseconds", "bytes")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print a table of the tested components: parameters, milliseconds a call, bytes of outputs."""
    rows = list(_read_costs(terminalreporter.stats.get("passed", [])))
    if rows:
        terminalreporter.section("cost of latelier components")
        width = max(len(str(row[0])) for row in rows)
        for id_, parameters, milliseconds, size in rows:
            terminalreporter.write_line(
                f"{id_:<{width}}  {parameters:>12,} parameters  {milliseconds:>9} ms a call  "
                f"{size:>10,} bytes"
            )


def _read_costs(reports: list[Any]) -> Iterator[tuple[Any, ...]]:
    for report in reports:
        properties = dict(getattr(report, "user_properties", ()))
        if "latelier_component" in properties and report.when == "call":
            yield tuple(properties[f"latelier_{name}"] for name in _COLUMNS)
