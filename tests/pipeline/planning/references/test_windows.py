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
        ("#1 on the left and #2 on the right in a meadow", {1}, "#1 in a meadow"),
        ("#1 in the top left corner, tilted left in a meadow", {0}, "in a meadow"),
        ("#1, meadow, small, mirrored, tilted left", {0}, "meadow"),
        ("#1 in a meadow and a small #2", {0}, "#2 in a meadow"),
        ("a small striped #1 in a meadow", {0}, "in a meadow"),
        ("one small #1 in a meadow", {0}, "in a meadow"),
        ("a night sky behind a #1 and the #2", {0}, "a night sky, #2"),
        ("a picture of a #1 in a meadow", {0}, "in a meadow"),
        ("in a meadow, a #1", {0}, "in a meadow"),
        ("a beach, small #1", {0}, "a beach"),
        ("under a night sky #1", {0}, "under a night sky"),
        ("on a beach #1 and #2", {0}, "on a beach, #2"),
        ("a night sky, #1, stars", {0}, "a night sky, stars"),
        ("#1 on a #2 in a meadow", {0}, "#2 in a meadow"),
        ("#1 in the snow under a night sky and #2", {1}, "#1 in the snow under a night sky"),
        ("on a red background, a big #1 behind two #2", {0, 1}, "on a red background"),
        ("a meadow with #1", {0}, "a meadow"),
        ("a #1 in the snow behind a big #2", {1}, "#1 in the snow"),
        ("#1, #2, night sky", {1}, "#1, night sky"),
        ("#1, on a red background with navy dots", {0}, "on a red background with navy dots"),
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


def test_rows_of_windows_are_told_apart_in_height_too(pipe, texts):
    references = {"pictures": ["cat"], "boxes": [[0.2, 0.6, 0.6, 0.9]]}
    pipe.denoise_fn(
        prompt="a cat in a meadow", reference=references, size=(16, 32), window=16, overlap=0
    )
    assert texts[-2:] == [["in a meadow"], ["#1 in a meadow"]]


def test_rows_without_references_or_text_stay_as_they_are(pipe, texts):
    pipe.denoise_fn(
        prompt=["a cat in a meadow", "in a meadow", None],
        reference=[{"pictures": ["cat"], "boxes": BOXES[:1]}, None, None],
        size=(32, 16),
        window=16,
        overlap=0,
    )
    assert texts[-2][:2] == ["#1 in a meadow", "in a meadow"]
    assert texts[-1][:2] == ["in a meadow", "in a meadow"]


def test_a_window_of_which_nothing_is_said_is_drawn_without_a_text(pipe):
    [picture] = pipe.generate(
        prompt="a cat",
        reference={"pictures": ["cat"], "boxes": BOXES[:1]},
        size=(32, 16),
        window=16,
        overlap=0,
    )
    assert picture.image.size == (32, 16)


def test_guidance_may_ask_for_other_texts_in_windows(pipe, texts):
    pipe.generate(
        prompt="a cat and a dog in a meadow",
        n=2,
        guidance={"name": "composable", "scale": 2.0, "also": {"in a meadow": 1.0}},
        reference={"pictures": ["cat", "dog"], "boxes": BOXES},
        size=(32, 16),
        window=16,
        overlap=0,
    )
    assert texts[-3:] == [["in a meadow"] * 2] * 3  # of the whole, then of both windows
