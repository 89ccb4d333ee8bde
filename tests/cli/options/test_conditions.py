"""Parsing conditions."""

import json

import pytest
from PIL import Image
from pydantic import model_validator

from latelier.cli.options.conditions import check_inputs, read_conditions
from latelier.contracts import inputs
from latelier.contracts.errors import InvalidInputError, UnknownNameError
from latelier.contracts.frozen import Frozen
from latelier.contracts.images import types as image_types


class Words(Frozen):
    text: str


class Sketch(Frozen):
    image: image_types.Image
    strength: float = 1.0


class Places(Frozen):
    boxes: list[inputs.Box]
    words: list[str]


class Scene(Frozen):
    map: image_types.SemanticMap
    words: str = ""


KNOWN = {"words": Words, "sketch": Sketch, "places": Places, "scene": Scene, "gone": None}


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("words=a cat", "a cat"),
        ("words=7", "7"),
        ("words=null", "null"),
        ("words=a=b", "a=b"),
        ('words="@home"', "@home"),
        ('words={"text": "a cat"}', {"text": "a cat"}),
        ("gone=7", 7),
        ('places={"boxes": [[0, 0, 1, 1]], "words": ["a"]}', None),
    ],
)
def test_values_are_json_or_text(typed, value):
    name, _, text = typed.partition("=")
    assert read_conditions([typed], KNOWN)[name] == (json.loads(text) if value is None else value)


def test_files_are_pictures_or_json(tmp_path):
    picture, data = tmp_path / "a.png", tmp_path / "a.json"
    Image.new("RGB", (2, 2)).save(picture)
    data.write_text(json.dumps({"image": str(picture), "strength": 0.5}))
    assert read_conditions([f"sketch=@{picture}"], KNOWN) == {"sketch": str(picture)}
    assert read_conditions([f"sketch=@{data}"], KNOWN)["sketch"]["strength"] == 0.5
    with pytest.raises(InvalidInputError, match="takes no picture"):
        read_conditions([f"places=@{picture}"], KNOWN)


class Melody(Frozen):
    notes: list[int] | image_types.Image


def test_a_union_with_a_picture_accepts_a_picture(tmp_path):
    picture = tmp_path / "a.png"
    Image.new("RGB", (2, 2)).save(picture)
    assert read_conditions([f"melody=@{picture}"], {"melody": Melody}) == {"melody": str(picture)}


class Swatches(Frozen):
    """A list of colours in its JSON schema, but a picture is taken too, as in latelier-palette."""

    colors: tuple[str, ...]
    count: int = 1

    @model_validator(mode="before")
    @classmethod
    def _from_picture(cls, fields):
        given = fields["colors"]  # a KeyError without it
        if isinstance(given, Image.Image):
            return {**fields, "colors": ["red"]}
        return fields


class Two(Swatches):
    name: str


@pytest.mark.parametrize(
    ("typed", "model"), [("swatches", Swatches), ("swatches.colors", Swatches), ("two.colors", Two)]
)
def test_an_input_may_accept_pictures_beyond_its_schema(tmp_path, typed, model):
    path = tmp_path / "photo.png"
    Image.new("RGB", (2, 2), "red").save(path)
    name, _, field = typed.partition(".")
    value = read_conditions([f"{typed}=@{path}"], {name: model})[name]
    picture = value[field] if field else value
    assert (picture.size, picture.getpixel((0, 0))) == ((2, 2), (255, 0, 0))
    if model is Swatches:
        check_inputs({name: value}, {name: model})


def test_a_file_of_an_unknown_format_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("red")
    error = r"^--condition swatches: no image can be read from '.*notes\.txt': its content"
    with pytest.raises(InvalidInputError, match=error):
        read_conditions([f"swatches=@{tmp_path / 'notes.txt'}"], {"swatches": Swatches})


@pytest.mark.parametrize("typed", ["words", "places.words", "sketch.strength", "swatches.count"])
def test_a_picture_for_an_input_without_pictures_is_refused(tmp_path, typed):
    path = tmp_path / "photo.png"
    Image.new("RGB", (2, 2), "red").save(path)
    with pytest.raises(InvalidInputError, match=rf"^--condition {typed}: takes no picture"):
        read_conditions([f"{typed}=@{path}"], {**KNOWN, "swatches": Swatches})


def test_without_its_plugin_a_picture_is_passed_as_a_path(tmp_path):
    path = tmp_path / "photo.png"
    path.touch()
    assert read_conditions([f"gone=@{path}"], KNOWN) == {"gone": str(path)}


def test_a_semantic_map_accepts_a_picture(tmp_path):
    picture = tmp_path / "map.png"
    Image.new("L", (2, 2)).save(picture)
    assert read_conditions([f"scene=@{picture}"], KNOWN) == {"scene": str(picture)}


def test_fields_are_set_one_by_one(tmp_path):
    picture = tmp_path / "sketch.png"
    Image.new("RGB", (2, 2)).save(picture)
    typed = [f"sketch.image=@{picture}", "sketch.strength=0.5", "scene.words=7"]
    assert read_conditions(typed, KNOWN) == {
        "sketch": {"image": str(picture), "strength": 0.5},
        "scene": {"words": "7"},
    }


@pytest.mark.parametrize(
    ("typed", "error", "why"),
    [
        (["sketch.strenght=1"], UnknownNameError, r"no field 'strenght'. Did you mean 'strength'"),
        (["skech.strength=1"], UnknownNameError, "takes no 'skech'"),
        (["sketch.strength=1"] * 2, InvalidInputError, r"'sketch\.strength' is given twice"),
        (["sketch.strength=1", 'sketch={"a": 1}'], InvalidInputError, "'sketch' is given twice"),
        (["words=a", "words.text=b"], InvalidInputError, r"'words\.text' is given twice"),
        (
            ["sketch.image=@none.png"],
            InvalidInputError,
            r"file 'none\.png' not found",
        ),
    ],
)
def test_invalid_fields_are_refused(typed, error, why):
    with pytest.raises(error, match=why):
        read_conditions(typed, KNOWN)
