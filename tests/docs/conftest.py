"""A fixture of several files: the blocks of a page of the documentation, run."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="session")
def run_page() -> Callable[[str], tuple[dict[str, Any], list[str]]]:
    """Return a function that runs the Python blocks of a page, one after another.

    It returns the names that they leave behind, and the lines that they print.
    """

    def run(page: str) -> tuple[dict[str, Any], list[str]]:
        lines: list[str] = []
        names: dict[str, Any] = {"print": lambda *values: lines.append(" ".join(map(str, values)))}
        for block in re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL):
            exec(compile(block, page, "exec"), names)
        return names, lines

    return run
