"""Requests of hosts: limits, schemas, fields of errors, and clients that are not trusted."""

import json

import pytest
from PIL import Image

from latelier.contracts.errors import InvalidConfigError, InvalidInputError, UnknownNameError
from latelier.contracts.images.reading import to_data_uri
from latelier.pipeline.request import Limits, read_limits

REQUEST = {"prompt": "a cat", "seed": 1, "steps": 1}


@pytest.mark.parametrize("size", [64_000, (8196, 8192)])
def test_a_size_beyond_the_limit_is_refused_and_the_limit_named(tiny, size):
    with pytest.raises(InvalidInputError) as caught:
        tiny.stream(**REQUEST, size=size)
    message = str(caught.value)
    assert "pixels are above the limit of 67,108,864" in message
    assert "LATELIER_MAX_PIXELS=" in message
    assert "pipe.with_limits(pixels=" in message
    assert caught.value.field == "size"


def test_more_pictures_than_the_limit_are_refused(tiny):
    with pytest.raises(InvalidInputError, match="n: 200,000 pictures are above the limit of 10,00"):
        tiny.stream(**REQUEST, n=200_000)


def test_a_host_can_set_limits(tiny):
    small = tiny.with_limits(pixels=16 * 16, pictures=2)
    assert len(small.generate(**REQUEST, n=2)) == 2
    assert small.with_limits(pictures=3).limits == Limits(pixels=16 * 16, pictures=3)
    with pytest.raises(InvalidInputError, match="size"):
        small.stream(**REQUEST, size=(20, 16))
    with pytest.raises(InvalidInputError, match="pictures"):
        small.stream(**REQUEST, n=3)
    with pytest.raises(InvalidInputError, match="size"):
        small.stream(**REQUEST, init_image=Image.new("RGB", (20, 16)))
    assert len(tiny.generate(**REQUEST, n=3)) == 3


def test_the_environment_sets_limits():
    given = {"LATELIER_MAX_PIXELS": "300", "LATELIER_MAX_PICTURES": ""}
    assert read_limits(given) == Limits(pixels=300)
    with pytest.raises(InvalidConfigError, match=r"'pixels'.*many"):
        read_limits({"LATELIER_MAX_PIXELS": "many"})


@pytest.mark.parametrize(
    ("keywords", "field"),
    [
        ({"steps": 0}, "steps"),
        ({"size": 17}, "size"),
        ({"promt": "a"}, "promt"),
        ({"prompt": 3}, "prompt.text"),
        ({"prompt": {"text": ""}}, "prompt.text"),
        ({"prompt": "cat " * 100}, "prompt"),
        ({"label": "horse"}, "label"),
        ({"sampler": {"name": "ddim", "eta": 2}}, "sampler.eta"),
        ({"sampler": "ddim_inversion"}, "sampler"),
        ({"sampler": "huen"}, "sampler"),
        ({"schedule": "karas"}, "schedule"),
        ({"guidance": "cgf"}, "guidance"),
        ({"guidance": -1}, "guidance.scale"),
        ({"strength": 0.5}, "strength"),
        ({"overlap": 0.5}, "overlap"),
        ({"window": 17}, "window"),
        ({"tile": 3}, "tile"),
        ({"init_image": 3}, "init_image.0"),
        ({"prompt": ["a", "b"], "label": [0, 1, 2]}, "prompt"),
    ],
)
def test_an_error_names_its_field(tiny, keywords, field):
    with pytest.raises((InvalidInputError, UnknownNameError)) as caught:
        tiny.stream(**{**REQUEST, **keywords})
    assert caught.value.field == field


def test_the_schema_of_a_request_has_ranges_and_the_models_defaults(tiny):
    schema = json.loads(json.dumps(tiny.request_schema()))
    fields = schema["properties"]
    assert fields["steps"]["default"] == 3
    assert fields["guidance"]["default"] == {"name": "cfg", "options": {"scale": 3.0}}
    assert (fields["steps"]["minimum"], fields["steps"]["maximum"]) == (1, 10_000)
    assert all(field["description"] for field in fields.values())
    assert schema["required"] == []


def test_the_schema_says_what_is_done_without_a_value(tiny):
    fields = tiny.request_schema()["properties"]
    assert fields["strength"]["default_text"] == "0.8, or 1 with `mask`"
    without = {
        name
        for name, field in fields.items()
        if field.get("default") is None and "default_text" not in field
    }
    assert without == {"inputs", "negative", "seed", "init_image", "mask"}


def test_descriptions_name_fields_in_backticks(tiny):
    fields = tiny.request_schema()["properties"]
    texts = [field["description"] + field.get("default_text", "") for field in fields.values()]
    named = {name for text in texts for name in text.split("`")[1::2]}
    assert named == {"init_image", "mask", "window"}


def test_a_client_request_gives_the_pictures_of_the_same_keywords(tiny, photo):
    keywords = {"seed": 1, "steps": 2, "init_image": to_data_uri(photo)}
    *_, last = tiny.stream_json({"inputs": {"prompt": "a cat"}, **keywords})
    (picture,) = tiny.generate(prompt="a cat", seed=1, steps=2, init_image=photo)
    assert last.pictures[0].image.tobytes() == picture.image.tobytes()


def test_paths_in_a_client_request_are_not_opened(tiny, photo, tmp_path):
    photo.save(tmp_path / "secret.png")
    path = str(tmp_path / "secret.png")
    target = {"name": "image_guided", "target": path}
    for request in (
        {"init_image": path},
        {"init_image": to_data_uri(photo), "mask": [path]},
        {"guidance": target},
    ):
        assert tiny.stream(prompt="a cat", **{**request, "mask": None})
        with pytest.raises(InvalidInputError, match="is not opened for a client") as caught:
            tiny.stream_json({"inputs": {"prompt": "a cat"}, **request})
        assert caught.value.field.partition(".")[0] in request


def test_paths_in_client_inputs_are_not_opened(compose_tiny, tiny_changes, photo, tmp_path):
    _, denoiser = tiny_changes()["denoiser"]
    pipeline = compose_tiny(
        denoiser=(
            "unet",
            {
                **denoiser,
                "context_dim": None,
                "streams": {},
                "vectors": {},
                "spatial": {"image": 3},
            },
        ),
        conditioners={"image": ("image", {"factor": 2})},
        inputs=None,
        defaults={"size": 16, "guidance": 1.0},
    )
    photo.save(tmp_path / "secret.png")
    path = str(tmp_path / "secret.png")
    assert pipeline.stream(image=path, steps=1)
    for value in (path, {"image": path}, [path], [path, path]):
        with pytest.raises(InvalidInputError, match="is not opened for a client"):
            pipeline.stream_json({"inputs": {"image": value}, "steps": 1})


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"inputs": "a cat"}, "inputs: expected public inputs"),
        ({"stepz": 3}, "no field 'stepz'. Did you mean 'steps'"),
        ({"inputs": {"promt": "a"}}, "no input or option 'promt'"),
    ],
)
def test_errors_for_clients_name_the_problem(tiny, request_, message):
    with pytest.raises((InvalidInputError, UnknownNameError), match=message):
        tiny.stream_json(request_)
