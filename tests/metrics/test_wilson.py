"""The interval of a counted share."""

import pytest

from latelier.metrics.wilson import wilson_interval


@pytest.mark.parametrize(
    ("successes", "count", "interval"),
    [
        (0, 10, (0.0, 0.277533)),
        (10, 10, (0.722467, 1.0)),
        (5, 10, (0.236593, 0.763407)),
        (24, 40, (0.445959, 0.736517)),
    ],
)
def test_intervals_are_those_of_the_formula(successes, count, interval):
    assert wilson_interval(successes, count) == pytest.approx(interval, abs=1e-6)


@pytest.mark.parametrize("count", [1, 7, 300, 5000])
def test_the_ends_of_none_and_of_all_are_exact(count):
    assert wilson_interval(0, count)[0] == 0
    assert wilson_interval(count, count)[1] == 1


@pytest.mark.parametrize(("successes", "count"), [(0, 0), (3, 2), (-1, 2)])
def test_impossible_counts_are_an_error(successes, count):
    with pytest.raises(ValueError, match=f"got {successes} of {count}"):
        wilson_interval(successes, count)
