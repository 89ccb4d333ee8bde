"""Options of `generate` made from the fields of the request."""

import re

import pytest
from PIL import Image

from latelier.cli.options.option_help import option_name
from latelier.cli.options.request_options import errors_with_option_names, read_request_options
from latelier.contracts.errors import CompatibilityError, InvalidInputError, LatelierError
from latelier.pipeline.request import Request

FIELDS = [name for name in Request.model_fields if name != "inputs"]


@pytest.fixture(scope="module")
def help_texts():
    """Option -> its whole entry in `latelier generate --help`, on one line."""
    import subprocess
    import sys

    command = [sys.executable, "-m", "latelier", "generate", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    section = done.stdout.partition("Options:\n")[2].partition("\n\n")[0]
    entries = re.split(r"\n  (?=-)", f"\n{section}")
    entries = [" ".join(entry.split()).replace("- ", "-") for entry in entries if entry.strip()]
    return {re.findall(r"-[\w-]+", entry)[0]: entry for entry in entries}


@pytest.mark.parametrize("field", FIELDS)
def test_each_field_is_an_option_with_its_description(help_texts, field):
    entry = help_texts[option_name(field)]
    description = Request.model_fields[field].description
    assert description, f"{field} has no description"
    assert letters(description) in letters(entry)


def letters(text):
    return re.sub(r"[\W_]", "", text).lower()


def test_the_help_names_options_and_not_fields(help_texts):
    for field in FIELDS:
        if "_" in field:
            assert not [text for text in help_texts.values() if field in text]


def test_the_help_shows_bounds_and_defaults(help_texts):
    assert "[0<=x<=0.9]" in help_texts["--overlap"]
    assert "[0<x<=1]" in help_texts["--strength"]
    assert "Default: the model's, 20 for scenes." in help_texts["--steps"]
    assert "Default: the model's, cfg:scale=2.0 for scenes." in help_texts["--guidance"]
    assert "128x128 for scenes" in help_texts["--size"]
    assert help_texts["--noise"].startswith("--noise independent|brownian")


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        ({"n": "3", "seed": "0", "steps": None}, {"n": 3, "seed": 0}),
        ({"size": "96x64", "window": "32"}, {"size": (96, 64), "window": (32, 32)}),
        (
            {"overlap": "0.25", "strength": "1", "tile": "0"},
            {"overlap": 0.25, "strength": 1.0, "tile": 0},
        ),
        ({"noise": "brownian"}, {"noise": "brownian"}),
        ({"negative": "7"}, {"negative": "7"}),
        ({"negative": '{"prompt": "a dog"}'}, {"negative": {"prompt": "a dog"}}),
    ],
)
def test_values_are_parsed(texts, values):
    assert read_request_options(texts) == values


def test_names_with_options_are_parsed():
    found = read_request_options(
        {"sampler": "ddim:eta=0.5", "schedule": "karras", "guidance": "2.5"}
    )
    assert found["sampler"].model_dump() == {"name": "ddim", "options": {"eta": 0.5}}
    assert found["schedule"].name == "karras"
    assert found["guidance"].model_dump() == {"name": "cfg", "options": {"scale": 2.5}}


def test_pictures_are_read_immediately(tmp_path):
    Image.new("RGB", (4, 2), "red").save(tmp_path / "a.png")
    (image,) = read_request_options({"init_image": str(tmp_path / "a.png")})["init_image"]
    assert (image.size, image.getpixel((0, 0))) == ((4, 2), (255, 0, 0))


@pytest.mark.parametrize(
    ("field", "text", "error"),
    [
        ("n", "0", "-n: Input should be greater than or equal to 1, got 0"),
        ("n", "many", "-n: Input should be a valid integer, unable to parse string as an integer"),
        ("seed", "-1", "--seed: Input should be greater than or equal to 0, got -1"),
        ("overlap", "1", "--overlap: Input should be less than or equal to 0.9, got 1"),
        ("strength", "nan", "--strength: "),
        ("noise", "pink", "--noise: Input should be 'independent' or 'brownian', got pink"),
        ("size", "large", "--size: expected a number or WIDTHxHEIGHT, got 'large'"),
        ("sampler", "ddim:eta", "--sampler: expected name:key=value,key=value, got 'ddim:eta'"),
        ("init_image", "gone.png", "--init-image: no image can be read from 'gone.png'"),
    ],
)
def test_an_invalid_value_names_the_option_and_its_field(field, text, error):
    with pytest.raises(InvalidInputError) as caught:
        read_request_options({field: text})
    assert str(caught.value).startswith(error)
    assert str(caught.value).count(text) <= 2


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            InvalidInputError.of_field("repaint_resamples", "needs `mask`, not mask or `n_images`"),
            "--repaint-resamples: needs --mask, not mask or `n_images`",
        ),
        (CompatibilityError.of_field("n", "needs `init_image`"), "-n: needs --init-image"),
        (InvalidInputError.of_field("inputs", "need `size`"), "inputs: need --size"),
        (InvalidInputError("size: of `size`", field="prompt"), "size: of --size"),
        (InvalidInputError("the `size` is odd", field="size"), "the --size is odd"),
        (InvalidInputError("`latelier strip` helps"), "`latelier strip` helps"),
    ],
)
def test_an_error_of_a_run_names_options(error, message):
    text = str(error)
    with pytest.raises(LatelierError) as caught, errors_with_option_names():
        raise error
    assert str(caught.value) == message
    assert caught.value.field == error.field
    assert str(error) == text
