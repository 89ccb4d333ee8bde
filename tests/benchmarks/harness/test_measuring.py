"""A case becomes medians, ratios of rounds and differences of outputs."""

import pytest
import torch

from benchmarks.harness import measuring
from benchmarks.harness.case import Case, Sample, SkipError, Variant
from benchmarks.harness.goal import Goal, lowest, ratio, value
from benchmarks.harness.measuring import measure


@pytest.fixture(autouse=True)
def _no_ceilings(monkeypatch):
    monkeypatch.setattr(measuring, "measure_ceilings", lambda: {"bf16 product": 800.0})


def series(*values):
    left = iter(values)
    return Variant(lambda: Sample(next(left)))


def test_a_ratio_is_the_median_of_the_ratios_of_rounds(make_case, goal):
    # the ratio of the medians would be 10
    variants = {"theirs": series(2, 10, 12), "ours": series(1, 1, 2)}

    result = measure(make_case(variants, (goal,), rounds=3, warmups=0))

    assert result.variants["theirs"].spread.median == 10
    assert result.goals[0].spread.median == 6
    assert (result.goals[0].spread.low, result.goals[0].spread.high) == (4, 8)
    assert result.goals[0].is_met
    assert result.ceilings == {"bf16 product": 800.0}


def test_a_goal_below_its_bound_is_missed(make_case, make_variant, goal):
    result = measure(make_case({"theirs": make_variant(2.0), "ours": make_variant(1.0)}, (goal,)))
    assert not result.goals[0].is_met


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (ratio("ours", "theirs"), 0.5),
        (ratio(("theirs", "tuned"), "ours"), 1.5),
        (value("ours"), 2.0),
        (lowest("ours"), 2.0),
    ],
)
def test_goals_count_on_the_samples(make_case, make_variant, values, expected):
    variants = {"theirs": make_variant(4.0), "tuned": make_variant(3.0), "ours": make_variant(2.0)}
    result = measure(make_case(variants, (Goal("a number", values),)))
    assert result.goals[0].spread.median == expected
    assert result.goals[0].is_met


def test_outputs_are_compared_with_those_of_the_first_variant(make_case, make_variant):
    variants = {
        "theirs": make_variant(1.0, output=torch.tensor([3.0, 4.0])),
        "ours": make_variant(1.0, output=torch.tensor([3.0, 3.0])),
        "ceiling": make_variant(1.0),
    }
    result = measure(make_case(variants))
    assert (result.variants["ours"].max_abs, result.variants["ours"].relative_l2) == (1.0, 0.2)
    assert result.variants["theirs"].relative_l2 is None
    assert result.variants["ceiling"].relative_l2 is None


def test_a_skipped_case_says_why():
    def skip(_setup):
        raise SkipError("needs 13 GiB")

    assert measure(Case("fake", "A fake case", skip)).skipped == "needs 13 GiB"


def test_a_quick_run_has_one_round_and_closes_what_it_opened(make_variant):
    closed = []

    def variants(setup):
        assert setup.is_quick
        setup.stack.callback(closed.append, "closed")
        return {"ours": make_variant(1.0)}

    result = measure(Case("fake", "A fake case", variants, rounds=100), is_quick=True)
    assert len(result.variants["ours"].samples) == 1
    assert closed == ["closed"]
