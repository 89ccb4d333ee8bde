from typing import Any

import pytest
import torch

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import Condition, concat, where
from latelier.contracts.errors import InvalidInputError
from latelier_conditioners.class_label.conditioner import ClassLabelConditioner
from latelier_conditioners.class_label.inputs import ClassLabel, ClassLabelConfig

GEOMETRY = PictureGeometry((64, 64), (16, 16))


def new_labels(**options: Any) -> ClassLabelConditioner:
    config: dict[str, Any] = {"num_classes": 3, "width": 8}
    return ClassLabelConditioner(ClassLabelConfig.model_validate({**config, **options}))


def test_the_class_embedding_matches_the_published_model() -> None:
    with torch.device("meta"):
        conditioner = new_labels(num_classes=1000, width=512)
    shapes = {key: tuple(value.shape) for key, value in conditioner.state_dict().items()}
    assert shapes == {"embedding.weight": (1001, 512)}


def test_a_published_table_without_a_null_row_can_be_loaded() -> None:
    with torch.device("meta"):
        conditioner = new_labels(num_classes=1000, width=512, null_class=False)
    shapes = {key: tuple(value.shape) for key, value in conditioner.state_dict().items()}
    assert shapes == {"embedding.weight": (1000, 512)}


def test_without_a_null_row_the_null_part_contributes_nothing() -> None:
    part = new_labels(null_class=False).null(2, GEOMETRY)
    assert part.stream is not None
    assert part.stream.mask is not None
    assert part.stream.tokens.shape == (2, 1, 8)
    assert part.stream.mask.tolist() == [[False], [False]]
    vector = new_labels(null_class=False, slot="vector").null(2, GEOMETRY).vector
    assert torch.equal(vector, torch.zeros(2, 8))


@pytest.mark.parametrize("slot", ["stream", "vector"])
def test_without_a_null_row_classes_can_be_dropped_and_guided(slot: str) -> None:
    conditioner = new_labels(null_class=False, slot=slot)
    given, null = conditioner.encode([0, 2]), conditioner.null(2, GEOMETRY)
    mixed = where(torch.tensor([True, False]), given, null)
    both = concat([Condition.of({"class_label": part}) for part in (given, null)])
    if slot == "stream":
        assert mixed.stream.mask.tolist() == [[True], [False]]
        assert both.streams["class_label"].mask.tolist() == [[True], [True], [False], [False]]
    else:
        assert torch.equal(mixed.vector[1], torch.zeros(8))
        assert both.vectors["class_label"].shape == (4, 8)


def test_a_stream_has_one_token() -> None:
    conditioner = new_labels()
    part = conditioner.encode([2, 0])
    assert part.stream is not None
    assert part.vector is None
    assert torch.equal(part.stream.tokens, conditioner.embedding.weight[[2, 0]][:, None])
    assert conditioner.config.outputs().stream == 8


def test_a_vector_is_a_row() -> None:
    conditioner = new_labels(slot="vector")
    part = conditioner.encode([2, 0])
    assert part.stream is None
    assert part.vector is not None
    assert torch.equal(part.vector, conditioner.embedding.weight[[2, 0]])
    assert conditioner.config.outputs().vector == 8


@pytest.mark.parametrize("slot", ["stream", "vector"])
def test_the_null_part_is_the_last_row(slot: str) -> None:
    conditioner = new_labels(slot=slot)
    part = conditioner.null(4, GEOMETRY)
    rows = part.vector if part.stream is None else part.stream.tokens
    assert rows is not None
    assert torch.equal(rows.reshape(4, 8), conditioner.embedding.weight[[3, 3, 3, 3]])


def test_it_is_differentiable() -> None:
    conditioner = new_labels(slot="vector")
    part = conditioner.encode([1])
    assert part.vector is not None
    part.vector.sum().backward()
    assert conditioner.embedding.weight.grad is not None
    assert conditioner.embedding.weight.grad.sum(1).tolist() == [0, 8, 0, 0]


@pytest.mark.parametrize("value", ["red apple", "Red Apple", " red apple ", 1, "1"])
def test_a_class_has_a_number_and_may_have_a_name(value: Any) -> None:
    conditioner = new_labels(names=("cat", "red apple", "dog"))
    batch = conditioner.prepare([ClassLabel(label=value)], GEOMETRY)
    assert batch["label"].tolist() == [1]
    assert batch["label"].dtype == torch.int64


def test_a_name_that_looks_like_a_number_is_a_name() -> None:
    conditioner = new_labels(names=("2", "1", "0"))
    batch = conditioner.prepare([ClassLabel(label="2"), ClassLabel(label=2)], GEOMETRY)
    assert batch["label"].tolist() == [0, 2]


def test_an_empty_batch_has_no_labels() -> None:
    assert new_labels().prepare([], GEOMETRY)["label"].dtype == torch.int64


@pytest.mark.parametrize(
    ("names", "value", "message"),
    [
        ((), 3, "there is no class 3; the classes are 0 to 2"),
        ((), "3", "there is no class 3; the classes are 0 to 2"),
        ((), -1, "'label': classes are numbered from 0"),
        ((), True, "'label': a class is a number or a name, not true or false"),
        ((), "cat", "no class 'cat'. The classes of this model have no names; give a number"),
        (("cat", "apple", "dog"), "appel", "no class 'appel'. Did you mean 'apple'?"),
        (("cat", "apple", "dog"), "zzz", "no class 'zzz'. Some of the classes: cat, apple, dog"),
        ((), 1.5, "'label"),
    ],
)
def test_unknown_classes_are_refused(names: tuple[str, ...], value: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        new_labels(names=names).encode([value])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"names": ("cat",)}, "1 names for num_classes=3"),
        ({"names": ("cat", "dog", "Cat")}, "several classes have the name 'cat'"),
        ({"num_classes": 0}, "greater than or equal to 1"),
        ({"slot": "spatial"}, "'stream' or 'vector'"),
    ],
)
def test_inconsistent_configurations_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        new_labels(**options)


def test_the_schema_lists_the_names_and_the_range_of_numbers() -> None:
    schema = ClassLabel.model_json_schema()
    named = new_labels(names=["cat", "dog", "owl"]).config.input_schema(schema)
    assert named["properties"]["label"]["anyOf"] == [
        {"type": "string", "enum": ["cat", "dog", "owl"]},
        {"type": "integer", "minimum": 0, "maximum": 2},
    ]
    assert named["properties"]["label"]["description"]


def test_a_model_without_names_accepts_only_numbers() -> None:
    label = new_labels().config.input_schema(ClassLabel.model_json_schema())["properties"]["label"]
    assert label["anyOf"] == [{"type": "integer", "minimum": 0, "maximum": 2}]


def test_the_vocabulary_is_the_names() -> None:
    assert new_labels(names=["cat", "dog", "owl"]).vocabulary() == ("cat", "dog", "owl")
    assert new_labels().vocabulary() == ()
