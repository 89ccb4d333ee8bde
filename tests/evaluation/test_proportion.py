import pytest

from latelier.evaluation.proportion import Proportion


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [
        # Score intervals worked out from (p - q)^2 = z^2 q (1 - q) / n by bisection.
        (0, 10, 0.0, 0.2775328),
        (10, 10, 0.7224672, 1.0),
        (81, 263, 0.2552885, 0.3662096),
        (400, 500, 0.7627109, 0.8327145),
    ],
)
def test_intervals_match_known_values(hits: int, trials: int, low: float, high: float) -> None:
    assert Proportion(hits, trials).interval == pytest.approx((low, high), abs=1e-6)


def test_outcomes_are_counted() -> None:
    assert Proportion.from_outcomes([True, False, True, True]) == Proportion(3, 4)
    assert Proportion(3, 4).to_json()["share"] == 0.75


@pytest.mark.parametrize(("hits", "trials"), [(0, 0), (5, 4), (-1, 4)])
def test_invalid_counts_are_an_error(hits: int, trials: int) -> None:
    with pytest.raises(ValueError, match="invalid proportion"):
        Proportion(hits, trials)
