import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.features import FeatureStatistics
from latelier.metrics.feature_sums import FeatureSums


def draw(count: int = 700, width: int = 5, scale: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, width, generator=generator) * scale + 0.3


def is_same(first: FeatureSums, second: FeatureSums) -> bool:
    return (
        first.count == second.count
        and torch.equal(first.sum, second.sum)
        and torch.equal(first.outer, second.outer)
    )


@pytest.mark.parametrize("scale", [1e-3, 1.0, 200.0])
@pytest.mark.parametrize("size", [1, 13, 350])
def test_parts_in_any_order_have_the_bits_of_the_whole(scale: float, size: int) -> None:
    features = draw(scale=scale)
    whole = FeatureSums.from_features(features)
    parts = [FeatureSums.from_features(part) for part in features.split(size)]
    for shuffled in (parts, parts[::-1], sorted(parts, key=lambda part: int(part.sum[0]))):
        assert is_same(sum(shuffled, FeatureSums.zeros(5)), whole)
    halves = [sum(half, FeatureSums.zeros(5)) for half in (parts[::2], parts[1::2])]
    assert is_same(halves[0] + halves[1], whole)
    assert is_same(whole - halves[0], halves[1])


def test_the_order_of_pictures_does_not_matter() -> None:
    features = draw()
    order = torch.randperm(len(features))
    assert is_same(FeatureSums.from_features(features[order]), FeatureSums.from_features(features))


def test_values_are_those_of_hand_computation() -> None:
    sums = FeatureSums.from_features(torch.tensor([[1.0, 2.0], [3.0, 0.5]]))
    assert sums.count == 2
    assert (sums.sum * 2.0**-16).tolist() == [4, 2.5]
    assert (sums.outer * 2.0**-32).tolist() == [[10, 3.5], [3.5, 4.25]]
    statistics = sums.statistics()
    assert statistics.mean.tolist() == [2, 1.25]
    assert statistics.covariance.tolist() == [[2, -1.5], [-1.5, 1.125]]


@pytest.mark.parametrize(("scale", "rel"), [(0.05, 1e-5), (1.0, 1e-6), (50.0, 1e-8)])
def test_statistics_are_those_of_the_features(scale: float, rel: float) -> None:
    features = draw(scale=scale)
    measured = FeatureSums.from_features(features).statistics()
    expected = FeatureStatistics.from_features(features)
    largest = float(expected.covariance.abs().max())
    torch.testing.assert_close(measured.mean, expected.mean, rtol=0, atol=1e-5)
    torch.testing.assert_close(measured.covariance, expected.covariance, rtol=0, atol=rel * largest)


def test_a_large_mean_does_not_cancel() -> None:
    whole = torch.randint(-9, 9, (500, 3), generator=torch.Generator().manual_seed(0)).double()
    small = FeatureSums.from_features(whole * 2.0**-16).statistics()
    large = FeatureSums.from_features(whole * 2.0**-16 + 900).statistics()
    assert torch.equal(large.covariance, small.covariance)
    torch.testing.assert_close(small.covariance * 2.0**32, whole.T.cov(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1024.0])
def test_features_that_are_not_finite_or_too_large_are_an_error(bad: float) -> None:
    features = draw()
    features[7, 2] = bad
    with pytest.raises(InvalidInputError, match="in row 7"):
        FeatureSums.from_features(features)


def test_sums_that_do_not_fit_are_an_error() -> None:
    most = FeatureSums.from_features(torch.full((400, 2), 1023.0))
    with pytest.raises(InvalidInputError, match="800 pictures are too large"):
        most + most
    with pytest.raises(InvalidInputError, match="too large"):
        FeatureSums.from_features(torch.full((800, 2), 1023.0))


@pytest.mark.parametrize("shape", [(5,), (0, 5), (5, 0), (2, 3, 4)])
def test_other_shapes_are_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInputError, match=r"\(N, D\)"):
        FeatureSums.from_features(torch.zeros(shape))


def test_other_widths_and_single_pictures_are_an_error() -> None:
    one = FeatureSums.from_features(torch.zeros(1, 3))
    with pytest.raises(InvalidInputError, match="two pictures or more, got 1"):
        one.statistics()
    with pytest.raises(InvalidInputError, match="3 and 4"):
        one + FeatureSums.zeros(4)
