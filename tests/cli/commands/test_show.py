"""Settings of pictures, in lines."""

import json

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo


def lines(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_settings_of_a_picture_are_printed(cli, tiny_model):
    cli(
        *("generate", "a cat", "-m", tiny_model, "--seed", 5, "-n", 2, "-o", "out", "--steps", 3),
        *("--negative", "a dog", "--sampler", "ddim:eta=0.5", "--guidance", 2.5),
        *("--size", "24x16", "--window", "16x16", "--schedule", "karras"),
    )
    done = cli("show", "out/a-cat-6.png")
    assert (done.status, done.err) == (0, "")
    found = lines(done.out)
    assert found[:3] == ["prompt a cat", "negative prompt a dog", "seed 6, picture 2 of 2"]
    for line in (
        "size 24x16",
        "steps 3",
        "sampler ddim:eta=0.5",
        "window 16x16",
        f"model {tiny_model}",
    ):
        assert line in found
    assert any(line.startswith("guidance cfg:scale=2.5") for line in found)
    assert found[-1].startswith("latelier 0.1.0, torch 2")


def test_pictures_and_layouts_are_named(cli, tiny_model, tmp_path):
    Image.new("RGB", (16, 16), "red").save(tmp_path / "red.png")
    cli("generate", "a cat", "-m", tiny_model, "--init-image", "red.png", "-o", "a.png")
    found = lines(cli("show", "a.png").out)
    assert "init_image a picture" in found
    assert "strength 0.8" in found


def test_json_is_the_whole_provenance(cli, tiny_model):
    made = cli("generate", "a cat", "-m", tiny_model, "-o", "a.png", "--json")
    (picture,) = json.loads(made.out)
    assert json.loads(cli("show", "a.png", "--json").out) == picture["provenance"]


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "carries no provenance"), ('{"request": 3}', "its provenance is damaged; --json")],
)
def test_pictures_without_settings_are_explained(cli, tmp_path, text, message):
    info = PngInfo()
    if text:
        info.add_text("latelier", text)
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png", pnginfo=info)
    done = cli("show", "a.png")
    assert (done.status, done.out) == (2, "")
    assert message in done.err


def test_control_characters_of_a_foreign_picture_are_escaped(cli, tiny_model, tmp_path):
    cli("generate", "a cat", "-m", tiny_model, "-o", "a.png")
    with Image.open(tmp_path / "a.png") as image:
        provenance = json.loads(image.info["latelier"])
        provenance["request"]["inputs"]["prompt"] = ["a \x1b[31mcat"]
        info = PngInfo()
        info.add_itxt("latelier", json.dumps(provenance))
        image.save(tmp_path / "b.png", pnginfo=info)
    assert "prompt a \\x1b[31mcat" in lines(cli("show", "b.png").out)
