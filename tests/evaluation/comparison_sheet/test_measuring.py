"""Measures of a side."""

import pytest
import torch
from PIL import Image

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.features import Features
from latelier.contracts.measures import Figure
from latelier.evaluation.comparison_sheet.measuring import (
    check_measures,
    check_originals,
    measure_side,
)
from latelier.evaluation.comparison_sheet.sides import Side

CPU = torch.device("cpu")


class Network:
    """Features are the colour of the first pixel."""

    name = "the first pixel"
    identity = "first"
    width = 3

    def __init__(self, classifies=True):
        self._classifies = classifies

    def __call__(self, images):
        vectors = images[:, :, 0, 0].float()
        return Features(vectors, vectors if self._classifies else None)


class Brightness:
    """The mean of a column, of features and of originals."""

    def __init__(self, *needs):
        self.needs = frozenset(needs)

    def record(self, pictures):
        if "originals" not in self.needs:
            return {}
        return {"difference": (pictures.images.float() - pictures.originals).mean((1, 2, 3))}

    def compute(self, records, reference):
        assert reference is None
        columns = sorted(self.needs & {"features", "logits"}) or ["difference"]
        column = torch.cat([part for (part,) in records.chunks(*columns)])
        assert len(column) == records.count
        return [Figure("brightness", "Brightness", float(column.mean()), "higher")]


@pytest.fixture
def side():
    return Side("a model", [Image.new("RGB", (4, 4), (k, k, k)) for k in range(60)])


def test_features_of_all_batches_are_measured_and_their_network_named(side):
    samples = [{"prompt": "a cat"}] * 60
    results = measure_side(side, samples, {"brightness": Brightness("features")}, Network(), CPU)
    (measured,) = results.figures
    assert measured.figure.value == pytest.approx(29.5)
    assert (measured.network, results.pictures, results.model) == ("the first pixel", 60, "a model")


def test_originals_are_those_of_the_samples(side):
    samples = [{"prompt": "", "image": torch.full((3, 4, 4), 1, dtype=torch.uint8)}] * 60
    results = measure_side(side, samples, {"brightness": Brightness("originals")}, Network(), CPU)
    (measured,) = results.figures
    assert measured.figure.value == pytest.approx(28.5)
    assert measured.network == ""


def test_originals_of_another_size_are_an_error(side):
    samples = [{"prompt": "", "image": torch.zeros(3, 8, 4, dtype=torch.uint8)}] * 60
    measures = {"brightness": Brightness("originals")}
    with pytest.raises(InvalidInputError, match="have 4 x 4 pixels and their originals 4 x 8"):
        measure_side(side, samples, measures, None, CPU)


def test_logits_of_a_network_without_are_an_error(side):
    samples = [{"prompt": "a cat"}] * 60
    measures = {"brightness": Brightness("logits")}
    with pytest.raises(InvalidInputError, match="'the first pixel' does not give"):
        measure_side(side, samples, measures, Network(classifies=False), CPU)


@pytest.mark.parametrize("need", ["reference", "originals", "scene"])
def test_a_measure_that_needs_what_prompts_do_not_have_is_an_error(need):
    with pytest.raises(InvalidInputError, match=f"'brightness' needs {need}"):
        check_measures({"brightness": Brightness(need)}, [{"prompt": "a cat"}])


def test_a_measure_of_pictures_prompts_and_originals_is_none():
    measure = Brightness("features", "logits", "prompt", "originals")
    check_measures({"brightness": measure}, [{"prompt": "a cat", "image": None}])


def test_pictures_that_a_model_makes_of_prompts_have_no_originals():
    measures = {"brightness": Brightness("originals")}
    check_originals(measures, [])
    check_originals({"brightness": Brightness("features")}, ["a model"])
    with pytest.raises(InvalidInputError, match="'a model' makes pictures of prompts alone"):
        check_originals(measures, ["a model"])
