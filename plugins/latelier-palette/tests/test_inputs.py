import numpy as np
import pytest
import torch
from latelier import Frozen, LatelierError
from latelier import Image as ImageInput
from latelier.contracts.inputs import read_input
from PIL import Image

from latelier_palette.inputs import Palette


class _Shown(Frozen):
    image: ImageInput


def read(value):
    return read_input(Palette, value, "palette")


def flag(*columns):
    """Return a picture (8, 8) of upright bars, each as wide as it says."""
    rows = [color for color, width in columns for _ in range(width)]
    return Image.fromarray(np.array([rows] * 8, dtype=np.uint8))


RED, BLUE = (255, 0, 0), (0, 0, 255)


def test_common_color_notations_are_accepted():
    assert read(["#1D3557", "red", "rgb(0, 0, 255)"]).colors == ("#1d3557", "#ff0000", "#0000ff")
    assert read("navy").colors == ("#000080",)
    assert read(("navy",)).shares is None
    given = read({"colors": ["navy", "gold"], "shares": [0.6, 0.2]})
    assert (given.colors, given.shares) == (("#000080", "#ffd700"), (0.6, 0.2))


@pytest.mark.parametrize("form", ["picture", "path", "array", "tensor", "uri"])
def test_a_picture_gives_its_colors_and_shares(form, tmp_path):
    picture = flag((RED, 6), (BLUE, 2))
    picture.save(tmp_path / "flag.png")
    levels = np.asarray(picture)
    given = {
        "picture": picture,
        "path": str(tmp_path / "flag.png"),
        "array": levels,
        "tensor": torch.tensor(levels).permute(2, 0, 1) / 127.5 - 1,
        "uri": _Shown(image=picture).model_dump(mode="json")["image"],
    }[form]
    for found in (read(given), read([given]), read({"colors": given})):
        assert found.colors == ("#ff0000", "#0000ff")
        assert found.shares == pytest.approx((0.75, 0.25))


def test_shares_can_be_given_for_the_colors_of_a_picture():
    assert read({"colors": flag((RED, 6), (BLUE, 2)), "shares": [0.5, 0.5]}).shares == (0.5, 0.5)


@pytest.mark.parametrize("value", [["red", "navy"], {"colors": ["red"], "shares": [0.3]}])
def test_inputs_survive_json(value):
    palette = read(value)
    assert read(palette.model_dump(mode="json")) == palette


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "at least 1 item"),
        (["red"] * 9, "at most 8 items"),
        (["red", "reddish"], r"'colors.1': a color is '#rrggbb' or a CSS name, not 'reddish'"),
        (["nowhere.png"], r"a list of .*, or a picture, not 'nowhere.png'"),
        ([["red"]], r"'colors.0'"),
        ("nowhere.png", r"a list of .*, or a picture, not 'nowhere.png'"),
        (7, r"a list of .*, or a picture, not 7"),
        (
            {"colors": ["red"], "shares": [0.5, 0.5]},
            r"as many shares as colors, not 2 and 1",
        ),
        ({"colors": ["red", "navy"], "shares": [0.8, 0.4]}, r"the shares add up to 1.2"),
        ({"colors": ["red"], "shares": [0]}, r"greater than 0"),
        ({"colours": ["red"]}, r"no field 'colours'. Did you mean 'colors'"),
    ],
)
def test_errors_say_what_is_valid(value, message):
    with pytest.raises(LatelierError, match=message):
        read(value)


def test_the_schema_is_a_list_of_colors():
    colors = Palette.model_json_schema()["properties"]["colors"]
    assert colors["type"] == "array"
    assert colors["items"] == {"format": "color", "type": "string"}
    assert (colors["minItems"], colors["maxItems"]) == (1, 8)
