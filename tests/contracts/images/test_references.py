import io

import numpy as np
import pytest
from PIL import Image

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.frozen import Frozen
from latelier.contracts.images import references
from latelier.contracts.images.reading import to_data_uri
from latelier.contracts.images.references import Reference, read_reference, visible_box
from latelier.contracts.inputs import read_input


class Shown(Frozen):
    picture: Reference


def read(value, **options):
    return read_input(Shown, value, "shown", **options).picture


def drawing():
    picture = Image.new("RGBA", (6, 5))
    picture.paste((255, 0, 0, 200), (1, 2, 4, 5))
    return picture


def test_pictures_keep_their_alpha(tmp_path):
    path = tmp_path / "a.png"
    drawing().save(path)
    for value in (drawing(), path, str(path), to_data_uri(drawing()), np.asarray(drawing())):
        assert read(value).tobytes() == drawing().tobytes()
    assert read(Image.new("L", (2, 2), 255)).getpixel((0, 0)) == (255, 255, 255, 255)
    assert read_reference(path).mode == "RGBA"


def test_a_palette_with_a_transparent_colour_is_transparent_there(tmp_path):
    picture = Image.new("P", (4, 4))
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.paste(1, (1, 1, 3, 3))
    picture.save(tmp_path / "a.png", transparency=0)
    assert visible_box(read(tmp_path / "a.png")) == (1, 1, 3, 3)


@pytest.mark.parametrize("value", ["cat", " red apple ", "no. 7", 7, 0])
def test_names_and_numbers_stay(value):
    assert read(value) == (value.strip() if isinstance(value, str) else value)
    assert Shown(picture=value).model_dump_json() == f'{{"picture":{ascii_json(read(value))}}}'


def ascii_json(value):
    return f'"{value}"' if isinstance(value, str) else str(value)


def test_a_client_names_no_file(tmp_path):
    path = tmp_path / "a.png"
    drawing().save(path)
    assert read(str(path), trusted=False) == str(path)
    assert read("a.png", trusted=False) == "a.png"
    assert read(to_data_uri(drawing()), trusted=False).tobytes() == drawing().tobytes()


def animation():
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "green", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Image.new("RGBA", (4, 4)), "transparent everywhere"),
        (np.zeros((4, 4, 4), np.uint8), "transparent everywhere"),
        (Image.new("RGBA", (4, 4), (255, 0, 0, 20)), "transparent everywhere"),
        (Image.new("RGBA", (0, 4)), "it is empty"),
        (np.zeros((0, 4, 4), np.uint8), "is empty"),
        ("no/such.png", "no image can be read"),
        ("such.png", "no image can be read"),
        ("", "the name is empty"),
        ("x" * 201, "at most 200 characters"),
        (True, "not true or false"),
        (-1, "an image is"),
        (1.5, "an image is"),
        (None, "an image is"),
    ],
)
def test_what_cannot_be_shown_is_refused(value, message):
    with pytest.raises(InvalidInputError, match=message):
        read(value)


def test_an_animation_is_refused(tmp_path):
    path = tmp_path / "a.gif"
    path.write_bytes(animation().getvalue())
    with pytest.raises(InvalidInputError, match="an animation of 3 pictures"):
        read(path)
    with pytest.raises(InvalidInputError, match="an animation of 3 pictures"):
        read(Image.open(animation()))


def test_a_huge_picture_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(references, "MAX_UNTRUSTED_PIXELS", 29)
    drawing().save(tmp_path / "a.png")
    with pytest.raises(InvalidInputError, match="6 x 5 pixels, and a reference at most 29"):
        read(tmp_path / "a.png")
