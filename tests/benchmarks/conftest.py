"""Results and cases without models."""

import pytest

from benchmarks.harness.case import Case, Sample, Variant
from benchmarks.harness.goal import Goal, speedup
from benchmarks.harness.results import (
    CaseResult,
    GoalResult,
    Results,
    Spread,
    VariantResult,
)


def constant(value, unit="s", output=None):
    return Variant(lambda: Sample(value, output), unit)


@pytest.fixture
def make_variant():
    return constant


@pytest.fixture
def make_case():
    def make(variants, goals=(), **options):
        return Case("fake", "A fake case", lambda _setup: variants, goals, **options)

    return make


@pytest.fixture
def goal():
    return Goal("speed over theirs", speedup("ours", "theirs"), at_least=2.8)


@pytest.fixture
def make_result():
    """Return what makes the result of a case whose goal has a value."""

    def make(name="fake", value=3.0, at_least=2.8, seconds=(1.0, 2.0, 3.0), **fields):
        spread = Spread(median=value, low=value - 0.5, high=value + 0.5)
        goal = GoalResult(
            text="speed over theirs",
            unit="x",
            spread=spread,
            at_least=at_least,
            is_met=value >= at_least,
        )
        ours = VariantResult(unit="s", samples=list(seconds), spread=Spread.of(seconds))
        return CaseResult(
            name=name,
            title=f"Case {name}",
            commit="abc",
            date="2026-01-02T03:04:05+00:00",
            ceilings={"bf16 product": 800.0},
            variants={"ours": ours},
            goals=[goal],
            **fields,
        )

    return make


@pytest.fixture
def make_results():
    def make(*cases):
        return Results(machine={"processor": "a chip"}, cases={each.name: each for each in cases})

    return make
