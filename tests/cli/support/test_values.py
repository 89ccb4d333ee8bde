"""Reading what is typed."""

import json

import pytest
from PIL import Image

from latelier.cli.support.values import read_choice, read_conditions, read_guidance, read_size
from latelier.contracts import image_types, inputs
from latelier.contracts.errors import InvalidInputError, UnknownNameError
from latelier.contracts.frozen import Frozen


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


def test_sizes():
    assert read_size("64", "--size") == (64, 64)
    assert read_size("96x64", "--size") == read_size("96X64", "--size") == (96, 64)


@pytest.mark.parametrize("text", ["", "64.5", "-8", "64x", "x64", "64x64x64", "64 x 64"])
def test_what_is_no_size(text):
    with pytest.raises(InvalidInputError, match=r"^--window: .*WIDTHxHEIGHT"):
        read_size(text, "--window")


def test_choices():
    assert read_choice("ddim", "--sampler") == {"name": "ddim", "options": {}}
    assert read_choice("a/ddim:eta=0.5,clip=true,kind=fast", "--sampler") == {
        "name": "a/ddim",
        "options": {"eta": 0.5, "clip": True, "kind": "fast"},
    }
    assert read_guidance("2.5") == 2.5
    assert read_guidance("cfg:scale=3") == {"name": "cfg", "options": {"scale": 3}}


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ('a:scales={"text":5,"layout":2},b=1', {"scales": {"text": 5, "layout": 2}, "b": 1}),
        ("a:interval=[0.3,5],b=[[1],[2,3]]", {"interval": [0.3, 5], "b": [[1], [2, 3]]}),
        ('a:also={"a dog, x=1":4,"\\"}":-2}', {"also": {"a dog, x=1": 4, '"}': -2}}),
        ('a:t="1,2",u=x"y,v= {"k": [1, {}]}', {"t": "1,2", "u": 'x"y', "v": {"k": [1, {}]}}),
        ("a:t=[x", {"t": "[x"}),
    ],
)
def test_options_may_be_json(text, options):
    assert read_choice(text, "--guidance") == {"name": "a", "options": options}


@pytest.mark.parametrize("text", ["ddim:eta", "ddim:=1", ":eta=1", "ddim:eta=1,eta=2", "ddim:a=1,"])
def test_what_is_no_choice(text):
    with pytest.raises(InvalidInputError, match="--sampler: "):
        read_choice(text, "--sampler")


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
def test_values(typed, value):
    name, _, text = typed.partition("=")
    assert read_conditions([typed], KNOWN)[name] == (json.loads(text) if value is None else value)


def test_files(tmp_path):
    picture, data = tmp_path / "a.png", tmp_path / "a.json"
    Image.new("RGB", (2, 2)).save(picture)
    data.write_text(json.dumps({"image": str(picture), "strength": 0.5}))
    assert read_conditions([f"sketch=@{picture}"], KNOWN) == {"sketch": str(picture)}
    assert read_conditions([f"sketch=@{data}"], KNOWN)["sketch"]["strength"] == 0.5
    with pytest.raises(InvalidInputError, match="takes no picture"):
        read_conditions([f"places=@{picture}"], KNOWN)


class Melody(Frozen):
    notes: list[int] | image_types.Image


def test_what_may_be_a_picture_takes_one(tmp_path):
    picture = tmp_path / "a.png"
    Image.new("RGB", (2, 2)).save(picture)
    assert read_conditions([f"melody=@{picture}"], {"melody": Melody}) == {"melody": str(picture)}


def test_a_semantic_map_is_a_picture(tmp_path):
    picture = tmp_path / "map.png"
    Image.new("L", (2, 2)).save(picture)
    assert read_conditions([f"scene=@{picture}"], KNOWN) == {"scene": str(picture)}


def test_fields_one_by_one(tmp_path):
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
        (["sketch.image=@none.png"], InvalidInputError, r"sketch\.image: there is no file"),
    ],
)
def test_what_is_no_field(typed, error, why):
    with pytest.raises(error, match=why):
        read_conditions(typed, KNOWN)


def test_a_choice_in_a_file(tmp_path):
    file = tmp_path / "tuned.json"
    file.write_text('{"name": "fixed", "options": {"sigmas": [1, 0]}}')
    assert read_choice(f"@{file}", "--schedule") == {
        "name": "fixed",
        "options": {"sigmas": [1, 0]},
    }


@pytest.mark.parametrize(
    ("text", "why"), [("{", "as JSON"), ("[]", "is no choice"), ("{}", "name")]
)
def test_a_file_that_is_no_choice(tmp_path, text, why):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InvalidInputError, match=f"--schedule: .*{why}"):
        read_choice(f"@{tmp_path / 'a.json'}", "--schedule")
    with pytest.raises(InvalidInputError, match="cannot be read"):
        read_choice("@none.json", "--schedule")
