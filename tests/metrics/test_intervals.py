from statistics import stdev

import pytest
import torch

from latelier.metrics.intervals import (
    bootstrap_interval,
    jackknife_interval,
    mean_interval,
    student_quantile,
)


def first_column(means: torch.Tensor) -> torch.Tensor:
    return means[:, 0]


def test_the_bootstrap_of_a_mean_is_that_of_the_standard_error() -> None:
    values = torch.randn(2000, 1, generator=torch.Generator().manual_seed(3)) * 5 + 7
    low, high = bootstrap_interval(values, first_column)
    half = 1.96 * float(values.std()) / 2000**0.5
    assert low == pytest.approx(float(values.mean()) - half, abs=0.1 * half)
    assert high == pytest.approx(float(values.mean()) + half, abs=0.1 * half)


def test_the_bootstrap_of_a_ratio_keeps_the_numbers_of_a_picture_together() -> None:
    sizes = torch.randint(1, 9, (300, 1), generator=torch.Generator().manual_seed(4))
    columns = torch.cat([sizes * 0.25, sizes], 1)
    low, high = bootstrap_interval(columns, lambda means: means[:, 0] / means[:, 1])
    assert low == pytest.approx(0.25)
    assert high == pytest.approx(0.25)


def test_resamples_without_a_value_do_not_count() -> None:
    columns = torch.tensor([[1.0, 1.0], [0.0, 0.0]])  # a quarter of the resamples has 0 / 0
    assert bootstrap_interval(columns, lambda means: means[:, 0] / means[:, 1]) == (1, 1)


def test_the_bootstrap_is_the_same_each_time_and_leaves_other_random_numbers_alone() -> None:
    values = torch.rand(50, 1)
    state = torch.random.get_rng_state()
    first = bootstrap_interval(values, first_column)
    assert first == bootstrap_interval(values, first_column)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_interval_of_a_mean_is_student_s() -> None:
    low, high = mean_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    # t of 5 degrees of freedom is 2.5706, the standard error 1.8708 / 6^1/2
    assert (low, high) == pytest.approx((3.5 - 1.9633, 3.5 + 1.9633), abs=1e-3)


@pytest.mark.parametrize(
    ("freedom", "expected"), [(5, 2.5706), (9, 2.2622), (19, 2.0930), (100, 1.9840)]
)
def test_quantiles_are_those_of_tables(freedom: int, expected: float) -> None:
    assert student_quantile(freedom) == pytest.approx(expected, abs=1e-3)


def test_the_jackknife_of_a_mean_is_that_of_the_means_of_groups() -> None:
    groups = [3.0, 5.0, 4.0, 8.0, 6.0, 10.0]
    left_out = [(sum(groups) - each) / 5 for each in groups]
    interval = jackknife_interval(6.0, left_out)
    assert interval == pytest.approx(mean_interval(groups))
    assert interval[1] - 6 == pytest.approx(student_quantile(5) * stdev(groups) / 6**0.5)
