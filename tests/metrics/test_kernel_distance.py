import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.metrics.kernel_distance import kernel_distance


def draw(count: int, seed: int, shift: float = 0.0, width: int = 16) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, width, generator=generator) + shift


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_it_agrees_with_torch_fidelity(run_peer, shift: float) -> None:
    pictures, reference = draw(300, 0, shift), draw(250, 1)
    expected = run_peer(
        "fidelity:kernel_distance",
        first=pictures,
        second=reference,
        kid_subsets=7,
        kid_subset_size=100,
        rng_seed=2020,
    )
    measured = kernel_distance(pictures, reference, subsets=7, subset_size=100)
    assert (measured.value, measured.deviation) == pytest.approx(expected, rel=1e-5)


def test_the_value_of_two_pictures_is_that_of_hand_computation() -> None:
    pictures, reference = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [1.0]])
    measured = kernel_distance(pictures, reference, subsets=3, subset_size=2)
    # (1 2 + 1)^3 + (0 1 + 1)^3 - 2 (1 + 2^3 + 1 + 3^3) / 4
    assert measured.value == pytest.approx(27 + 1 - 2 * 37 / 4)
    assert measured.deviation == pytest.approx(0, abs=1e-12)


def test_it_is_not_biased() -> None:
    values = [
        kernel_distance(draw(40, k), draw(40, 500 + k), subsets=1, subset_size=40).value
        for k in range(300)
    ]
    mean, error = torch.tensor(values).mean(), torch.tensor(values).std() / 300**0.5
    assert abs(mean) < 3 * error
    assert min(values) < 0


def test_the_error_is_how_much_other_pictures_differ() -> None:
    reference = draw(100, 1)
    measured = [
        kernel_distance(draw(100, k, 0.3), reference, subsets=4, subset_size=100)
        for k in range(100, 200)
    ]
    spread = torch.tensor([each.value for each in measured]).std()
    error = torch.tensor([each.error for each in measured]).mean()
    assert error == pytest.approx(float(spread), rel=0.25)


def test_too_few_pictures_or_another_width_are_an_error() -> None:
    with pytest.raises(InvalidInputError, match="at least 50 pictures"):
        kernel_distance(draw(49, 0), draw(60, 1), subset_size=50)
    with pytest.raises(InvalidInputError, match="and two"):
        kernel_distance(draw(49, 0), draw(60, 1), subset_size=1)
    with pytest.raises(InvalidInputError, match="one width"):
        kernel_distance(draw(49, 0), draw(60, 1, width=3), subset_size=10)


@pytest.mark.parametrize("place", [0, 1])
def test_features_that_are_not_finite_are_an_error(place: int) -> None:
    features = [draw(30, 0), draw(30, 1)]
    features[place][3, 2] = float("inf")
    with pytest.raises(InvalidInputError, match="finite features"):
        kernel_distance(*features, subset_size=10)
