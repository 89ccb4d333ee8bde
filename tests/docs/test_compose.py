"""The blocks of docs/compose.md run, one after another."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "compose.md").read_text()


@pytest.fixture(scope="module")
def names(run_page):
    """The names that the blocks leave behind; "lines" is what they printed."""
    found, lines = run_page("compose.md")
    return found | {"lines": lines}


def test_the_composed_pipeline_generates(names):
    assert names["picture"].image.size == (64, 64)


def test_the_documented_error_is_raised(names):
    [commented] = re.findall(r"print\(error\)  # (.*)", PAGE)
    assert names["lines"] == [commented]


def test_a_first_stage_is_shared(names):
    assert names["new"].first_stage is names["base"].first_stage
