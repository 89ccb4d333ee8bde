import pytest

from latelier.pipeline.pipeline import plan_keywords
from latelier.pipeline.planning.references.windows import leave_out, restrict_to_window

from .conftest import make_collage_pipeline, make_pipeline

BOXES = [[0.1, 0.25, 0.35, 0.75], [0.5, 0.25, 0.75, 0.75]]


@pytest.mark.parametrize(
    ("text", "absent", "expected"),
    [
        ("a small #1 to the left of #2 in a meadow", {0}, "#2 in a meadow"),
        ("a small #1 to the left of #2 in a meadow", {1}, "#1 in a meadow"),
        ("A small #1 to the left of #2 in a meadow", {0, 1}, "in a meadow"),
        ("#1, #2 and #3 on a beach", {1}, "#1 and #3 on a beach"),
        ("#1, #2, night sky", {0, 1}, "night sky"),
        ("in a meadow, #1", {0}, "in a meadow"),
        ("a green background with a big #1", {0}, "a green background"),
        ("#1 and #2", {0, 1}, ""),
        ("#1 beside #2 on a beach", {2}, "#1 beside #2 on a beach"),
        ("on a beach", {0}, "on a beach"),
    ],
)
def test_slots_are_left_out_with_the_words_about_them(text, absent, expected):
    assert leave_out(text, absent) == expected


@pytest.fixture
def texts(pipe, monkeypatch):
    """The texts that windows are told, in order."""
    conditioner, told = pipe.conditioners["text"], []
    prepare = conditioner.prepare

    def record(inputs, geometry):
        told.append([each.text for each in inputs])
        return prepare(inputs, geometry)

    monkeypatch.setattr(conditioner, "prepare", record)
    return told


@pytest.fixture
def pipe():
    return make_collage_pipeline()


def test_windows_are_told_of_the_objects_in_them(pipe, texts):
    references = {"pictures": ["cat", "dog"], "boxes": BOXES}
    pipe.denoise_fn(
        prompt="a small cat and a dog in a meadow", reference=references, size=(32, 16), window=16
    )
    assert texts[-3:] == [
        ["#1 in a meadow"],
        ["a small #1 and #2 in a meadow"],
        ["#2 in a meadow"],
    ]


def test_rows_of_a_run_have_their_own_objects(pipe, texts):
    pipe.denoise_fn(
        prompt=["a cat in a meadow", "a dog"],
        reference=[
            {"pictures": ["cat"], "boxes": BOXES[:1]},
            {"pictures": ["dog"], "boxes": BOXES[1:]},
        ],
        size=(32, 16),
        window=16,
        overlap=0,
    )
    assert texts[-2:] == [["#1 in a meadow", "#1 in a meadow"], ["in a meadow", "#1"]]


def test_models_without_places_are_told_the_same_everywhere():
    pipe = make_pipeline()
    parts, plan = plan_keywords(pipe, {"prompt": "a cat in a meadow"})
    rows = plan.repeat_rows(plan.inputs)
    assert restrict_to_window(parts, rows, (0.9, 0.9, 1.0, 1.0)) == rows
