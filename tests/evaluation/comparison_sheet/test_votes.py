"""Votes that persons have given."""

import json

import pytest

from latelier.contracts.errors import LatelierError
from latelier.evaluation.comparison_sheet.votes import read_votes


def write(path, comparison="abc", **changes):
    votes = [
        {"prompt": "a cat", "seed": k, "left": k % 2, "preferred": preferred}
        for k, preferred in enumerate((0, 0, 1, None))
    ]
    values = {
        "format": "latelier-votes",
        "comparison": comparison,
        "question": "Which is better?",
        "models": ["a", "b"],
        "votes": votes,
    }
    path.write_text(json.dumps(values | changes))
    return path


def test_votes_are_counted(tmp_path):
    (votes,) = read_votes([write(tmp_path / "one.json")])
    assert [votes.count(side) for side in (0, 1, None)] == [2, 1, 1]


def test_votes_of_different_comparisons_are_an_error(tmp_path):
    paths = [write(tmp_path / "one.json"), write(tmp_path / "two.json", "def")]
    with pytest.raises(LatelierError, match=r"two\.json: .*another comparison \(def\).*\(abc\)"):
        read_votes(paths)


@pytest.mark.parametrize("changes", [{"format": "another"}, {"votes": [{"prompt": "a cat"}]}])
def test_another_file_is_an_error(tmp_path, changes):
    with pytest.raises(LatelierError, match=r"one\.json: "):
        read_votes([write(tmp_path / "one.json", **changes)])
