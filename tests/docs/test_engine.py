"""The blocks of docs/engine.md run, one after another, and print what the page says."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "engine.md").read_text()


@pytest.fixture(scope="module")
def lines():
    """What the blocks print."""
    lines = []
    names = {"print": lambda *values: lines.append(" ".join(map(str, values)))}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(block, "engine.md", "exec"), names)
    return lines


def test_printed_values_match_the_comments(lines):
    comments = re.findall(r"print\(.*\)  # (.*)", PAGE)
    assert len(comments) == 4
    assert [line for line in lines if line in comments] == comments
    assert lines[1:-3][-1] == "20 of 20"
