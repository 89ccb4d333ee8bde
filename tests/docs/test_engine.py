"""The blocks of docs/engine.md run, one after another, and print what the page says."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "engine.md").read_text()


@pytest.fixture(scope="module")
def lines(run_page):
    """What the blocks print."""
    return run_page("engine.md")[1]


def test_printed_values_match_the_comments(lines):
    comments = re.findall(r"print\(.*\)  # (.*)", PAGE)
    assert len(comments) == 4
    assert [line for line in lines if line in comments] == comments
    assert lines[1:-3][-1] == "20 of 20"
