"""Inputs: boxes, colours, and values that stand for their one field."""

import pytest

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.frozen import Frozen
from latelier.contracts.inputs import Box, Color, bare_field, read_input


class Drawing(Frozen):
    box: Box | None = None
    color: Color = "black"


def read(**values):
    return read_input(Drawing, values, "input")


def test_boxes_and_colors_survive_json():
    drawing = read(box=[0.1, 0.2, 0.5, 1], color="tomato")
    again = Drawing.model_validate_json(drawing.model_dump_json())
    assert again.box == Box(x0=0.1, y0=0.2, x1=0.5, y1=1)
    assert again.color == "#ff6347"


def test_a_schema_has_the_formats_of_boxes_and_colors():
    schema = Drawing.model_json_schema()
    assert schema["properties"]["color"] == {
        "default": "black",
        "format": "color",
        "title": "Color",
        "type": "string",
    }
    assert schema["$defs"]["Box"]["format"] == "box"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([0, 0, 1], "a box is x0, y0, x1, y1, not 3 numbers"),
        ([0, 0, 1.5, 1], "less than or equal to 1"),
        ([-0.1, 0, 1, 1], "greater than or equal to 0"),
        ([0.5, 0, 0.5, 1], "a box needs x0 < x1 and y0 < y1"),
        ([0, 0.6, 1, 0.5], "a box needs x0 < x1 and y0 < y1"),
        ([0, 0, 1, float("nan")], "'box"),
        ({"x0": 0, "y0": 0, "x1": 1}, r"'box\.y1' is required"),
        ("left", "'box'"),
    ],
)
def test_invalid_boxes_are_refused(value, message):
    with pytest.raises(InvalidInputError, match=message):
        read(box=value)


@pytest.mark.parametrize(
    ("value", "read_as"),
    [("red", "#ff0000"), ("#0f0", "#00ff00"), ("#0000ff", "#0000ff"), ("rgb(1,2,3)", "#010203")],
)
def test_colors_are_normalized(value, read_as):
    assert read(color=value).color == read_as


@pytest.mark.parametrize("value", ["reddish", "#12", 3, None, ""])
def test_invalid_colors_are_refused(value):
    with pytest.raises(InvalidInputError, match="a color is '#rrggbb' or a CSS name"):
        read(color=value)


class One(Frozen):
    text: str
    note: str = ""


class Optional(Frozen):
    scale: float = 1.0


class Two(Frozen):
    a: int
    b: int


def test_a_value_without_a_field_name_fills_the_one_required_field():
    assert read_input(One, "hi", "prompt") == One(text="hi")
    assert read_input(One, {"text": "hi", "note": "x"}, "prompt") == One(text="hi", note="x")
    assert read_input(Optional, 3, "scale") == Optional(scale=3)
    value = One(text="hi")
    assert read_input(One, value, "prompt") is value


@pytest.mark.parametrize(
    ("model", "value", "message"),
    [
        (Two, 3, "pair takes a mapping with the fields a, b"),
        (One, 3, "pair: 'text': Input should be a valid string"),
        (One, {"txt": "a"}, "there is no field 'txt'. Did you mean 'text'"),
        (One, None, "'text': Input should be a valid string"),
    ],
)
def test_invalid_inputs_are_refused(model, value, message):
    with pytest.raises(InvalidInputError, match=message):
        read_input(model, value, "pair")


def test_the_bare_field_is_known_without_a_value():
    assert bare_field(One, "x") == "text"
    assert bare_field(Optional, "x") == "scale"


def test_an_error_has_the_path_of_the_field():
    with pytest.raises(InvalidInputError) as caught:
        read_input(Drawing, {"box": [0, 0, 2, 1]}, "drawing")
    assert caught.value.field == "drawing.box.x1"
    with pytest.raises(InvalidInputError) as caught:
        read_input(Two, 3, "pair")
    assert caught.value.field == "pair"
