"""The text of AUTOMATIC1111's web UI in the PNGs of pictures."""

import io

from PIL import Image

from latelier.provenance.settings import Settings


def text_of(picture, file_format="png"):
    with Image.open(io.BytesIO(picture.to_bytes(file_format))) as image:
        return image.info.get("parameters")


def test_a_png_has_the_settings_of_its_own_row(tiny):
    pictures = tiny.generate(
        prompt=["a red cat", "ein Kätzchen 猫"],
        negative="a dog",
        n=2,
        seed=7,
        steps=2,
        size=(24, 16),
    )
    expected = (
        "Negative prompt: a dog\n"
        "Steps: 2, Sampler: dpmpp_2m, Schedule type: karras, CFG scale: 3.0, "
    )
    assert [text_of(each) for each in pictures] == [
        f"{prompt}\n{expected}Seed: {seed}, Size: 24x16, Model: "
        for prompt, seed in [
            *[("a red cat", 7), ("a red cat", 8)],
            *[("ein Kätzchen 猫", 9), ("ein Kätzchen 猫", 10)],
        ]
    ]
    assert text_of(pictures[0], "jpeg") is None


def test_without_a_text_the_first_line_is_empty(tiny):
    (picture,) = tiny.generate(label=1, seed=7, steps=1)
    assert text_of(picture).startswith("\nSteps: 1")


def test_what_is_no_record_has_no_settings():
    assert Settings.read({}) is None
    assert Settings.read({"request": {"inputs": 3}}) is None
