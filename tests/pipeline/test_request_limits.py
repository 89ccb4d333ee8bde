"""Lists and pictures of a request are limited before they are read."""

import pytest
from PIL import Image

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.images import reading
from latelier.contracts.images.reading import limit_total_pixels, open_picture, to_data_uri
from latelier.pipeline.conditioning import rows


@pytest.fixture
def counted(monkeypatch):
    """The number of pictures that were decoded."""
    decoded = []
    load = Image.Image.load
    monkeypatch.setattr(
        "PIL.PngImagePlugin.PngImageFile.load", lambda self: decoded.append(1) or load(self)
    )
    return decoded


@pytest.mark.parametrize("field", ["init_image", "mask"])
def test_a_list_of_too_many_pictures_is_refused_before_one_is_decoded(tiny, photo, counted, field):
    uri = to_data_uri(photo)
    request = {"inputs": {"prompt": "a cat"}, "init_image": uri, field: [uri] * 4}
    with pytest.raises(InvalidInputError, match="4 pictures are above the limit of 3") as caught:
        tiny.with_limits(pictures=3).stream_json(request)
    assert caught.value.field == field
    assert counted == []


@pytest.mark.parametrize(
    ("options", "field", "message"),
    [
        ({"inputs": {"prompt": ["a"] * 4}}, "prompt", "4 pictures are above the limit of 3"),
        (
            {"inputs": {"prompt": "a"}, "negative": ["c"] * 4},
            "negative.prompt",
            "4 values do not go with 1 pictures",
        ),
        (
            {"inputs": {"prompt": ["a", "b"]}, "negative": ["c"] * 3},
            "negative.prompt",
            "3 values do not go with 2 pictures",
        ),
    ],
)
def test_a_list_of_too_many_rows_is_refused_before_one_is_read(
    tiny, monkeypatch, options, field, message
):
    read = []
    read_input = rows.read_input

    def count(model, value, *arguments, **keywords):
        read.append(value)
        return read_input(model, value, *arguments, **keywords)

    monkeypatch.setattr(rows, "read_input", count)
    with pytest.raises(InvalidInputError, match=message) as caught:
        tiny.with_limits(pictures=3).stream_json({"steps": 1, **options})
    assert caught.value.field == field
    assert ("a" if field == "prompt" else "c") not in read


def test_the_pixels_of_all_pictures_of_a_client_are_limited(photo):
    uri = to_data_uri(photo)
    with limit_total_pixels(2 * photo.width * photo.height):
        open_picture(uri, trusted=False)
        open_picture(uri, trusted=False)
        with pytest.raises(ValueError, match="send fewer or smaller pictures"):
            open_picture(uri, trusted=False)
    open_picture(uri, trusted=False)


def test_a_request_limits_the_pixels_of_its_pictures(tiny, photo, monkeypatch):
    uri = to_data_uri(photo)
    monkeypatch.setattr(reading, "MAX_UNTRUSTED_TOTAL", 2 * photo.width * photo.height)
    request = {"inputs": {"prompt": ["a"] * 3}, "steps": 1}
    tiny.stream_json({**request, "init_image": [uri]})
    with pytest.raises(InvalidInputError, match="send fewer or smaller pictures") as caught:
        tiny.stream_json({**request, "init_image": [uri] * 3})
    assert caught.value.field == "init_image.2"
    tiny.stream(prompt=["a"] * 3, steps=1, init_image=[photo] * 3)


def test_a_side_is_limited(tiny):
    strip = to_data_uri(Image.new("L", (65_536, 1)))
    with pytest.raises(InvalidInputError, match="a side has at most 65535 pixels") as caught:
        tiny.stream_json({"inputs": {"prompt": "a"}, "init_image": strip})
    assert caught.value.field == "init_image.0"
    with pytest.raises(InvalidInputError, match="a side has at most 65,535 pixels") as caught:
        tiny.stream(prompt="a", size=(65_536, 4))
    assert caught.value.field == "size"
