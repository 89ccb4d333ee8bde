import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.evaluation.measures.class_accuracy import ClassAccuracy
from latelier.evaluation.measures.configs import NoOptions


def test_the_first_and_the_first_five_choices_count(measure_pictures, levels) -> None:
    logits = torch.arange(10.0).repeat(4, 1)  # class 9 first, 8 next ...
    samples = [{"class_label": label} for label in (9, 8, 5, 4)]
    figures = measure_pictures(
        ClassAccuracy(NoOptions()), levels(4), samples=samples, logits=logits
    )
    assert figures["accuracy"].value == 0.25
    assert figures["top5_accuracy"].value == 0.75
    assert 0 < figures["accuracy"].low < 0.25 < figures["accuracy"].high < 1


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_a_network_that_cannot_decide_is_not_right(measure_pictures, levels, value) -> None:
    logits = torch.full((2, 10), value)
    samples = [{"class_label": 0}, {"class_label": 1}]
    figures = measure_pictures(
        ClassAccuracy(NoOptions()), levels(2), samples=samples, logits=logits
    )
    assert figures["accuracy"].value == figures["top5_accuracy"].value == 0


def test_a_class_that_the_network_lacks_is_an_error(measure_pictures, levels) -> None:
    samples = [{"class_label": 3}, {"class_label": 10}]
    with pytest.raises(InvalidInputError, match=r"expected 0 to 9.* got \[10\]"):
        measure_pictures(
            ClassAccuracy(NoOptions()), levels(2), samples=samples, logits=torch.zeros(2, 10)
        )
