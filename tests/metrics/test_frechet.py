import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.features import FeatureStatistics
from latelier.metrics.feature_sums import FeatureSums
from latelier.metrics.frechet import frechet_distance, frechet_distance_from


def _features(seed: int = 0, count: int = 400) -> torch.Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))


def test_the_distance_of_a_set_to_itself_is_zero() -> None:
    statistics = FeatureStatistics.from_features(_features())
    assert frechet_distance(statistics, statistics) == pytest.approx(0, abs=1e-9)


def test_a_shift_counts_by_its_squared_length() -> None:
    features = _features()
    shifted = features + torch.tensor([3.0, 0, 4])
    distance = frechet_distance(
        FeatureStatistics.from_features(features), FeatureStatistics.from_features(shifted)
    )
    assert distance == pytest.approx(25, rel=1e-6)


def test_it_equals_the_formula_with_the_root_of_a_product() -> None:
    first = FeatureStatistics.from_features(_features(1))
    mix = torch.tensor([[1.0, 0.5, 0], [0, 2, 0.3], [0.1, 0, 0.7]])
    second = FeatureStatistics.from_features(_features(2) @ mix + 1)
    eigenvalues = torch.linalg.eigvals(first.covariance @ second.covariance).real
    expected = (
        (first.mean - second.mean).square().sum()
        + first.covariance.trace()
        + second.covariance.trace()
        - 2 * eigenvalues.sqrt().sum()
    )
    assert frechet_distance(first, second) == pytest.approx(float(expected), rel=1e-9)
    assert frechet_distance(second, first) == pytest.approx(float(expected), rel=1e-9)


def test_fewer_pictures_than_features_give_a_finite_distance() -> None:
    few = FeatureStatistics.from_features(_features(3, count=2))
    many = FeatureStatistics.from_features(_features(4))
    assert 0 < frechet_distance(few, many) < 100


def test_another_width_is_an_error() -> None:
    statistics = FeatureStatistics.from_features(_features())
    wider = FeatureStatistics.from_features(torch.zeros(4, 5))
    with pytest.raises(InvalidInputError, match="3 and 5"):
        frechet_distance(statistics, wider)


def test_the_distance_of_two_gaussians_is_that_of_hand_computation() -> None:
    zero, shift = torch.zeros(2).double(), torch.tensor([1.0, 2.0]).double()
    narrow = FeatureStatistics(zero, torch.tensor([[1.0, 0], [0, 4]]).double())
    wide = FeatureStatistics(shift, torch.tensor([[9.0, 0], [0, 16]]).double())
    # |(1, 2)|^2 + (1 - 3)^2 + (2 - 4)^2
    assert frechet_distance(narrow, wide) == pytest.approx(13, rel=1e-12)
    distance = frechet_distance_from(narrow)
    assert distance(narrow) == pytest.approx(0, abs=1e-12)
    assert distance(wide) == pytest.approx(13, rel=1e-12)


@pytest.mark.parametrize("count", [40, 500])
def test_it_agrees_with_torch_fidelity(run_peer, count: int) -> None:
    generator = torch.Generator().manual_seed(5)
    mix = torch.randn(48, 48, generator=generator) * 0.2
    first, second = (
        torch.randn(count, 48, generator=generator).relu() @ mix + k * 0.1 for k in range(2)
    )
    expected = run_peer("fidelity:frechet_distance", first=first, second=second)
    plain = [FeatureStatistics.from_features(each) for each in (first, second)]
    summed = [FeatureSums.from_features(each).statistics() for each in (first, second)]
    assert frechet_distance(*plain) == pytest.approx(expected, rel=1e-5)
    assert frechet_distance(*summed) == pytest.approx(expected, rel=1e-5)


def test_it_agrees_with_torchmetrics(run_peer) -> None:
    generator = torch.Generator().manual_seed(6)
    first, second = (torch.randn(100, 16, generator=generator) + k for k in range(2))
    expected = run_peer("fidelity:frechet_distance_by_torchmetrics", first=first, second=second)
    statistics = [FeatureSums.from_features(each).statistics() for each in (first, second)]
    assert frechet_distance(*statistics) == pytest.approx(expected, rel=1e-5)
