"""Measures of features: what they add to the distances, whose tests are in tests/metrics."""

import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.evaluation.measures.configs import (
    DensityCoverageConfig,
    FrechetDistanceConfig,
    InceptionScoreConfig,
    KernelDistanceConfig,
    PrecisionRecallConfig,
)
from latelier.evaluation.measures.density_coverage import DensityCoverage
from latelier.evaluation.measures.frechet_distance import FrechetDistance
from latelier.evaluation.measures.inception_score import InceptionScore
from latelier.evaluation.measures.kernel_distance import KernelDistance
from latelier.evaluation.measures.precision_recall import PrecisionRecall
from latelier.metrics.feature_sums import FeatureSums
from latelier.metrics.frechet import frechet_distance
from latelier.metrics.inception_score import inception_scores
from latelier.metrics.kernel_distance import kernel_distance
from latelier.metrics.manifold.density_coverage import density_coverage
from latelier.metrics.manifold.precision_recall import precision_recall
from latelier.metrics.networks.inception_features import FID_NETWORK, UNKNOWN_INCEPTION


def draw(count: int, seed: int = 0, shift: float = 0.0, width: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, width, generator=generator) + shift


def test_the_frechet_distance_is_that_of_all_features(compute) -> None:
    pictures, reference = draw(200, 0, 0.2), draw(300, 1)
    figure = compute(FrechetDistance(FrechetDistanceConfig()), {"features": pictures}, reference)[
        "frechet_distance"
    ]
    expected = frechet_distance(
        *(FeatureSums.from_features(each).statistics() for each in (pictures, reference))
    )
    assert figure.value == pytest.approx(expected, rel=1e-6)
    assert 0 <= figure.low < figure.value < figure.high
    assert (figure.better, figure.note) == ("lower", "")


def test_chunks_do_not_change_a_bit_of_it(compute) -> None:
    pictures, reference = draw(200), draw(300, 1)
    measure = FrechetDistance(FrechetDistanceConfig())
    figures = [
        compute(measure, {"features": pictures}, reference, chunk=chunk) for chunk in (1, 30, 200)
    ]
    assert figures[0] == figures[1] == figures[2]


def test_no_distance_is_below_zero(compute) -> None:
    features = draw(200)
    measure = FrechetDistance(FrechetDistanceConfig())
    figure = compute(measure, {"features": features}, features)["frechet_distance"]
    assert 0 == figure.low <= figure.value < 1e-6


@pytest.mark.parametrize("count", [60, 24])
def test_the_interval_is_how_much_other_pictures_differ(compute, count: int) -> None:
    width = 30  # so that one of the counts is less
    reference = draw(2000, 1, width=width)
    measure = FrechetDistance(FrechetDistanceConfig(groups=12))
    figures = [
        compute(measure, {"features": draw(count, seed, 0.3, width)}, reference)["frechet_distance"]
        for seed in range(100, 180)
    ]
    values = torch.tensor([figure.value for figure in figures])
    covered = [figure.low <= values.mean() <= figure.high for figure in figures]
    assert 0.88 <= sum(covered) / 80 <= 1
    half = torch.tensor([figure.high - figure.value for figure in figures]).mean()
    assert half == pytest.approx(2.2 * float(values.std()), rel=0.3)


def test_fewer_pictures_than_features_are_noted(compute) -> None:
    measure = FrechetDistance(FrechetDistanceConfig())
    few = compute(measure, {"features": draw(6)}, draw(50, 1))["frechet_distance"]
    assert few.note.startswith(
        "6 pictures are too few for 6 features: the distance is biased upward"
    )
    assert "kernel_distance" in few.note
    assert few.low is None
    assert few.high is None
    enough = compute(measure, {"features": draw(7)}, draw(50, 1))["frechet_distance"]
    assert enough.note == ""
    both = compute(measure, {"features": draw(5)}, draw(6, 1))["frechet_distance"]
    assert both.note.startswith("5 pictures and 6 reference pictures are too few for 6 features")


def test_one_picture_is_an_error(compute) -> None:
    with pytest.raises(InvalidInputError, match="two pictures"):
        compute(FrechetDistance(FrechetDistanceConfig()), {"features": draw(1)}, draw(50, 1))


@pytest.mark.parametrize(
    ("network", "titles"),
    [
        (FID_NETWORK, ["FID", "KID", "IS"]),
        (f"{FID_NETWORK}, not resized", ["FID", "KID", "IS"]),
        (
            f"{UNKNOWN_INCEPTION}, not resized",
            [
                f"{title} (Inception-v3 of unknown weights)"
                for title in ("Fréchet distance", "Kernel distance", "Classifier score")
            ],
        ),
        ("scenes", ["Fréchet distance", "Kernel distance", "Classifier score"]),
        ("", ["Fréchet distance", "Kernel distance", "Classifier score"]),
    ],
)
def test_only_figures_of_the_published_inception_have_the_published_names(
    compute, network, titles
) -> None:
    columns = {"features": draw(12), "logits": draw(12, 2)}
    measures = [
        FrechetDistance(FrechetDistanceConfig()),
        KernelDistance(KernelDistanceConfig(subset_size=5)),
        InceptionScore(InceptionScoreConfig()),
    ]
    found = [compute(each, columns, draw(20, 1), network) for each in measures]
    assert [figure.title for figures in found for figure in figures.values()] == titles


def test_the_kernel_distance_has_its_interval_and_deviation(compute) -> None:
    pictures, reference = draw(60, 0, 0.5), draw(80, 1)
    config = KernelDistanceConfig(subsets=8, subset_size=50, seed=3)
    figure = compute(KernelDistance(config), {"features": pictures}, reference)["kernel_distance"]
    expected = kernel_distance(pictures, reference, 8, 50, 3)
    assert figure.value == expected.value
    assert (figure.low, figure.high) == pytest.approx(
        (expected.value - 1.96 * expected.error, expected.value + 1.96 * expected.error), rel=1e-3
    )
    assert f"standard deviation {expected.deviation:.2g} of 8 subsets of 50" in figure.note


def test_an_interval_below_zero_is_noted_as_impossible(compute) -> None:
    reference = draw(60, 1)
    copies = torch.cat([reference, reference])
    measure = KernelDistance(KernelDistanceConfig(subset_size=50))
    figure = compute(measure, {"features": copies}, reference)["kernel_distance"]
    assert figure.high < 0
    assert "not independent of the reference" in figure.note
    usual = compute(measure, {"features": draw(60)}, reference)["kernel_distance"]
    assert "independent" not in usual.note


def test_subsets_of_the_kernel_distance_are_of_all_pictures_where_there_are_few(compute) -> None:
    measure = KernelDistance(KernelDistanceConfig())
    figure = compute(measure, {"features": draw(30)}, draw(40, 1))["kernel_distance"]
    assert "subsets of 30 pictures" in figure.note


def test_the_score_is_the_mean_of_splits(compute) -> None:
    logits = draw(205, width=10) * 2
    figure = compute(InceptionScore(InceptionScoreConfig()), {"logits": logits})["inception_score"]
    scores = inception_scores([logits], 205)
    assert figure.value == pytest.approx(sum(scores) / 10)
    assert figure.low < figure.value < figure.high
    assert "mean of 10 splits of 20 pictures" in figure.note


@pytest.mark.parametrize(("count", "splits"), [(10, 1), (39, 1), (40, 2), (199, 9)])
def test_few_pictures_are_scored_in_fewer_splits(compute, count: int, splits: int) -> None:
    logits = draw(count, width=10) * 2
    figure = compute(InceptionScore(InceptionScoreConfig()), {"logits": logits})["inception_score"]
    scores = inception_scores([logits], count, splits)
    assert figure.value == pytest.approx(sum(scores) / splits)
    assert (figure.low is None) == (splits <= 5)
    assert f"mean of {splits} split" in figure.note


def test_precision_and_recall_are_of_all_pictures_up_to_a_limit(compute) -> None:
    pictures, reference = draw(40), draw(60, 1)
    figures = compute(PrecisionRecall(PrecisionRecallConfig()), {"features": pictures}, reference)
    expected = [float(each.double().mean()) for each in precision_recall(pictures, reference)]
    assert [figure.value for figure in figures.values()] == expected
    assert [figure.count for figure in figures.values()] == [40, 60]


def test_more_pictures_than_the_limit_are_spread_evenly(compute) -> None:
    pictures, reference = draw(40), draw(25, 1)
    config = PrecisionRecallConfig(neighbors=2, pictures=20)
    figures = compute(PrecisionRecall(config), {"features": pictures}, reference)
    chosen = pictures[::2], reference[[k * 25 // 20 for k in range(20)]]
    expected = [float(each.double().mean()) for each in precision_recall(*chosen, 2)]
    assert [figure.value for figure in figures.values()] == expected
    assert list(figures) == ["precision", "recall"]
    assert all(0 <= figure.low <= figure.value <= figure.high <= 1 for figure in figures.values())


def test_density_and_coverage_are_of_all_pictures(compute) -> None:
    pictures, reference = draw(30), draw(40, 1)
    figures = compute(DensityCoverage(DensityCoverageConfig()), {"features": pictures}, reference)
    density, covered = density_coverage(pictures, reference)
    assert figures["density"].value == pytest.approx(float(density.mean()))
    assert figures["density"].low < figures["density"].value < figures["density"].high
    assert figures["coverage"].value == pytest.approx(float(covered.double().mean()))
    assert [figure.count for figure in figures.values()] == [30, 40]


def test_no_more_pictures_than_neighbors_is_an_error(compute) -> None:
    with pytest.raises(InvalidInputError, match="more than 3 pictures"):
        compute(PrecisionRecall(PrecisionRecallConfig()), {"features": draw(3)}, draw(9, 1))
