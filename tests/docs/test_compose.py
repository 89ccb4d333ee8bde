"""The blocks of docs/compose.md run, one after another."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "compose.md").read_text()


@pytest.fixture(scope="module")
def names():
    """The names that the blocks leave behind; "lines" is what they printed."""
    lines = []
    found = {"print": lambda *values: lines.append(" ".join(map(str, values)))}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(block, "compose.md", "exec"), found)
    return found | {"lines": lines}


def test_the_composed_pipeline_generates(names):
    assert names["picture"].image.size == (64, 64)


def test_the_documented_error_is_raised(names):
    [commented] = re.findall(r"print\(error\)  # (.*)", PAGE)
    assert names["lines"] == [commented]


def test_a_first_stage_is_shared(names):
    assert names["new"].first_stage is names["base"].first_stage
