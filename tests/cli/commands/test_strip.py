"""Stripping pictures: where they are written, and that nothing is replaced unasked."""

import json

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo


@pytest.fixture
def pictures(tmp_path):
    info = PngInfo()
    info.add_text("latelier", '{"prompt": "a secret"}')
    for name in ("a.png", "b.png"):
        Image.new("RGB", (4, 4), "red").save(tmp_path / name, pnginfo=info)
    return tmp_path


def texts(*paths):
    return [Image.open(path).text for path in paths]


def test_pictures_are_stripped_into_a_folder(cli, pictures):
    done = cli("strip", "a.png", "b.png", "-o", "clean")
    assert (done.status, done.out) == (0, "clean/a.png\nclean/b.png\n")
    assert texts(pictures / "clean" / "a.png", pictures / "clean" / "b.png") == [{}, {}]
    assert all(texts(pictures / "a.png", pictures / "b.png"))


def test_a_picture_is_stripped_into_a_file(cli, pictures):
    done = cli("strip", "a.png", "-o", "c.png", "--json")
    assert json.loads(done.out) == [{"path": "c.png"}]
    assert texts(pictures / "c.png") == [{}]


def test_replacing_requires_force(cli, pictures):
    done = cli("strip", "a.png", "b.png")
    assert done.status == 2
    assert "a.png: already exists; --force replaces it" in done.err
    assert all(texts(pictures / "a.png", pictures / "b.png"))
    assert cli("strip", "a.png", "b.png", "--force").status == 0
    assert texts(pictures / "a.png", pictures / "b.png") == [{}, {}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.png", "b.png", "-o", "one.png"], "one file cannot hold 2 pictures"),
        (["a.png", "sub/../a.png", "-o", "clean"], "two of the pictures have the same name"),
        (["none.png", "-o", "clean"], "none.png: cannot be read"),
        (["a.png", "none.png", "-o", "clean"], "none.png: cannot be read"),
        (["a.png", "-o", "b.png"], "b.png: already exists"),
    ],
)
def test_invalid_arguments_are_refused(cli, pictures, arguments, message):
    done = cli("strip", *arguments)
    assert done.status == 2
    assert message in done.err
    assert not (pictures / "clean").exists()


def test_provenance_is_removed(cli, tiny_model, tmp_path):
    cli("generate", "a cat", "-m", tiny_model, "--seed", 5, "-o", "a.png")
    before = Image.open(tmp_path / "a.png").tobytes()
    assert cli("strip", "a.png", "--force").status == 0
    assert Image.open(tmp_path / "a.png").tobytes() == before
    done = cli("replay", "a.png")
    assert done.status == 2
    assert "carries no provenance" in done.err
