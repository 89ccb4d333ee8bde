"""docs/plugins.md: thirty-two rows, and each test that it names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "plugins.md").read_text().splitlines()
    if re.match(r"\| \d+ \|", line)
]


def test_every_row_has_a_state():
    assert [int(row[0]) for row in ROWS] == list(range(1, 33))
    assert {row[2] for row in ROWS} == {"**has**", "*partly*", "*not*"}


def test_every_feature_names_an_existing_test():
    for number, _, state, _, shown in ROWS:
        if state == "*not*":
            continue
        file, _, name = shown.strip("`").partition("::")
        text = (ROOT / file).read_text()
        assert f"def {name}(" in text, f"row {number} names {shown}, which is not there"
