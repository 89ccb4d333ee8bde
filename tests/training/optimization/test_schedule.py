import pytest

from latelier.training.configs.optimization import Constant, Cosine, WarmupStableDecay
from latelier.training.optimization.schedule import decay_start, rate_at


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 0.1), (9, 1.0), (10, 1.0), (60, 0.6), (110, 0.2)]
)
def test_cosine_warms_up_and_falls(step, expected):
    assert rate_at(Cosine(warmup=10, final=0.2), step, 110) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 0.1), (9, 1.0), (79, 1.0), (80, 0.95), (89, 0.5), (99, 0.0)]
)
def test_wsd_warms_up_stays_and_decays_to_zero(step, expected):
    schedule = WarmupStableDecay(warmup=10, decay=0.2)
    assert rate_at(schedule, step, 100) == pytest.approx(expected, abs=0.051 if step < 99 else 0)


def test_wsd_ends_at_its_final_rate():
    schedule = WarmupStableDecay(warmup=0, decay=0.5, final=0.1)
    assert rate_at(schedule, 99, 100) == pytest.approx(0.1)


def test_a_constant_rate_stays():
    assert [rate_at(Constant(warmup=2), step, 4) for step in range(4)] == [0.5, 1, 1, 1]


@pytest.mark.parametrize("schedule", [Constant(warmup=5), WarmupStableDecay(warmup=5)])
def test_a_prolonged_run_has_the_same_rates_until_the_decay_begins(schedule):
    start = decay_start(schedule, 50)
    assert [rate_at(schedule, step, 50) for step in range(start)] == [
        rate_at(schedule, step, 80) for step in range(start)
    ]
    if not isinstance(schedule, Constant):
        assert rate_at(schedule, start, 50) < rate_at(schedule, start, 80)


def test_no_warm_up_and_no_decay_are_possible():
    schedule = WarmupStableDecay(warmup=0, decay=0)
    assert [rate_at(schedule, step, 3) for step in range(3)] == [1, 1, 1]
    assert rate_at(WarmupStableDecay(warmup=0, decay=1), 0, 1) == 0
