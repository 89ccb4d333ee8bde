import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.metrics.inception_score import inception_scores


def draw(count: int = 103, classes: int = 20) -> torch.Tensor:
    return torch.randn(count, classes, generator=torch.Generator().manual_seed(0)) * 3


@pytest.mark.parametrize("splits", [1, 4, 10])
def test_it_agrees_with_torch_fidelity(run_peer, splits: int) -> None:
    logits = draw()
    expected = run_peer(
        "fidelity:inception_score", logits=logits, splits=splits, shuffle=True, seed=2020
    )
    scores = torch.tensor(inception_scores(logits.split(17), 103, splits)).double()
    assert float(scores.mean()) == pytest.approx(expected[0], rel=1e-5)
    assert float(scores.std(correction=0)) == pytest.approx(expected[1], rel=1e-5, abs=1e-9)


def test_pictures_of_no_class_have_one() -> None:
    assert inception_scores([torch.zeros(40, 10)], 40, 4) == pytest.approx([1] * 4)


def test_pictures_of_one_class_have_one() -> None:
    logits = torch.zeros(40, 10)
    logits[:, 3] = 2000  # also where probabilities are 0
    assert inception_scores([logits], 40, 2) == pytest.approx([1, 1])


def test_sure_pictures_of_all_classes_have_their_number() -> None:
    logits = torch.eye(10).repeat(30, 1) * 2000
    assert inception_scores([logits], 300, 1) == pytest.approx([10])


def test_parts_do_not_matter() -> None:
    logits = draw()
    whole = inception_scores([logits], 103)
    assert inception_scores(logits.split(1), 103) == pytest.approx(whole, rel=1e-12)
    assert inception_scores(logits.split(50), 103) == pytest.approx(whole, rel=1e-12)


def test_another_number_of_pictures_is_an_error() -> None:
    with pytest.raises(InvalidInputError, match="of 102 pictures"):
        inception_scores(draw().split(20), 102)
    with pytest.raises(InvalidInputError, match="104 pictures, got 103"):
        inception_scores(draw().split(20), 104)
    with pytest.raises(InvalidInputError, match="1 to 5 splits"):
        inception_scores([draw(5)], 5)


def test_logits_that_are_not_finite_are_an_error() -> None:
    logits = draw()
    logits[50, 2] = float("nan")
    with pytest.raises(InvalidInputError, match="finite logits"):
        inception_scores(logits.split(20), 103)
