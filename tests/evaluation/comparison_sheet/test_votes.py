"""Votes that persons have given."""

import json

import pytest

from latelier.contracts.errors import LatelierError
from latelier.evaluation.comparison_sheet.votes import count_preferences, read_votes
from latelier.metrics.wilson import wilson_interval


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


def test_a_file_that_is_given_twice_is_an_error(tmp_path):
    path = write(tmp_path / "one.json")
    with pytest.raises(LatelierError, match=r"one\.json: is given twice"):
        read_votes([path, tmp_path / "." / "one.json"])


@pytest.mark.parametrize("changes", [{"format": "another"}, {"votes": [{"prompt": "a cat"}]}])
def test_another_file_is_an_error(tmp_path, changes):
    with pytest.raises(LatelierError, match=r"one\.json: "):
        read_votes([write(tmp_path / "one.json", **changes)])


def test_preferences_are_those_of_all_persons_together(tmp_path):
    read = read_votes([write(tmp_path / "one.json"), write(tmp_path / "two.json")])
    first, second = count_preferences(read)
    assert (first.model, first.preferred, first.decided) == ("a", 4, 6)
    assert (second.model, second.preferred, second.decided) == ("b", 2, 6)
    assert first.share == pytest.approx(2 / 3)
    assert (first.low, first.high) == wilson_interval(4, 6)
    assert first.low + second.high == pytest.approx(1)


def test_without_a_preference_there_is_no_share(tmp_path):
    read = read_votes([write(tmp_path / "one.json", votes=[])])
    assert [each.share for each in count_preferences(read)] == [None, None]
