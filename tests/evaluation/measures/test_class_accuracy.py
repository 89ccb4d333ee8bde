import pytest
import torch

from latelier.contracts.errors import InvalidConfigError, InvalidInputError
from latelier.evaluation.measures.class_accuracy import ClassAccuracy
from latelier.evaluation.measures.configs import ClassAccuracyConfig


def test_the_first_and_the_first_five_choices_count(measure_pictures, levels) -> None:
    logits = torch.arange(10.0).repeat(4, 1)  # class 9 first, 8 next ...
    samples = [{"class_label": label} for label in (9, 8, 5, 4)]
    figures = measure_pictures(
        ClassAccuracy(ClassAccuracyConfig()), levels(4), samples=samples, logits=logits
    )
    assert figures["accuracy"].value == 0.25
    assert figures["top5_accuracy"].value == 0.75
    assert 0 < figures["accuracy"].low < 0.25 < figures["accuracy"].high < 1


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_a_network_that_cannot_decide_is_not_right(measure_pictures, levels, value) -> None:
    logits = torch.full((2, 10), value)
    samples = [{"class_label": 0}, {"class_label": 1}]
    figures = measure_pictures(
        ClassAccuracy(ClassAccuracyConfig()), levels(2), samples=samples, logits=logits
    )
    assert figures["accuracy"].value == figures["top5_accuracy"].value == 0


def test_a_class_that_the_network_lacks_is_an_error(measure_pictures, levels) -> None:
    samples = [{"class_label": 3}, {"class_label": 10}]
    with pytest.raises(InvalidInputError, match=r"expected 0 to 9.* got 10"):
        measure_pictures(
            ClassAccuracy(ClassAccuracyConfig()),
            levels(2),
            samples=samples,
            logits=torch.zeros(2, 10),
        )


def test_a_file_says_where_the_classes_are(measure_pictures, levels, tmp_path) -> None:
    path = tmp_path / "positions.txt"
    path.write_text("2\n0\n")
    logits = torch.tensor([[0.0, 1.0, 9.0], [9.0, 0.0, 1.0]])
    samples = [{"class_label": 0}, {"class_label": 1}]
    measure = ClassAccuracy(ClassAccuracyConfig(positions=path))
    figures = measure_pictures(measure, levels(2), samples=samples, logits=logits)
    assert figures["accuracy"].value == 1
    with pytest.raises(InvalidInputError, match=r"expected 0 to 1, .* got 2"):
        measure_pictures(measure, levels(1), samples=[{"class_label": 2}], logits=logits[:1])
    with pytest.raises(InvalidInputError, match="class 0 is at 2, expected 0 to 1"):
        measure_pictures(measure, levels(1), samples=samples[:1], logits=logits[:1, :2])


@pytest.mark.parametrize("text", [None, "1\ntwo\n"])
def test_a_file_of_something_else_is_an_error(tmp_path, text) -> None:
    path = tmp_path / "positions.txt"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InvalidConfigError, match=r"positions\.txt: expected a file of whole"):
        ClassAccuracy(ClassAccuracyConfig(positions=path))
