"""The spatial conditioners in whole pipelines: generating, saving, provenance, all at once."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import where
from latelier.contracts.errors import CompatibilityError, InvalidInputError
from latelier.contracts.inputs import read_input
from latelier.data.emoji_scenes.config import SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.pipeline import load
from latelier.pipeline.replay.replay import replay

RNG = np.random.default_rng(0)
IMAGE = Image.fromarray(RNG.integers(0, 256, (16, 24, 3), dtype=np.uint8))
SMALL = Image.fromarray(RNG.integers(0, 256, (8, 12, 3), dtype=np.uint8))
MAP = RNG.integers(0, 5, (16, 24), dtype=np.uint8)
SQUARE = IMAGE.crop((0, 0, 16, 16))
HOLE = np.zeros((16, 24), dtype=bool)
HOLE[4:12, 6:20] = True

CASES: dict[str, tuple[dict[str, Any], int, Any, Any]] = {
    "semantic_map": ({"num_classes": 5, "n_stages": 1, "out_channels": 3}, 3, MAP, 4 - MAP),
    "mask": (
        {"latent_channels": 4},
        5,
        {"image": IMAGE, "mask": HOLE},
        {"image": IMAGE, "mask": ~HOLE},
    ),
    "image": ({"factor": 2}, 3, SMALL, SMALL.rotate(180)),
}


def ask(name, value):
    """Return the keywords that give `value` to a conditioner."""
    if name == "mask":
        return {"init_image": value["image"], "mask": value["mask"]}
    return {name: value}


def ask_both(name, one, other):
    first, second = ask(name, one), ask(name, other)
    return {key: [first[key], second[key]] for key in first}


def ask_all():
    return {key: each for name, case in CASES.items() for key, each in ask(name, case[2]).items()}


@pytest.fixture
def compose_spatial(compose_tiny, tiny_changes):
    """Compose a tiny pipeline with some of the cases, in that order, and a text."""

    def compose_it(*names):
        parts = tiny_changes()
        _, denoiser = parts["denoiser"]
        spatial = {name: CASES[name][1] for name in names}
        return compose_tiny(
            denoiser=("unet", {**denoiser, "vectors": {}, "spatial": spatial}),
            conditioners={
                **{name: (name, CASES[name][0]) for name in CASES if name in names},
                "text": parts["conditioners"]["text"],
            },
            inputs={"prompt": "text", **{name: name for name in names if name != "mask"}},
            defaults={**parts["defaults"], "guidance": 1.0},
        )

    return compose_it


def pixels(pictures):
    return [picture.image.tobytes() for picture in pictures]


@pytest.mark.parametrize("name", CASES)
def test_a_single_spatial_conditioner_is_saved_loaded_and_replayed(
    name, compose_spatial, tmp_path, built_ins
):
    pipeline = compose_spatial(name)
    _, _, one, other = CASES[name]
    pictures = pipeline.generate(prompt="a red cat", **ask(name, one), seed=3)
    assert pictures[0].image.size == (24, 16)
    both = pipeline.generate(prompt="a red cat", **ask_both(name, one, other), seed=3)
    assert pixels(both)[0] != pixels(both)[1]
    assert pixels(pictures) != pixels(pipeline.generate(prompt="a red cat", size=(24, 16), seed=3))

    pipeline.save(tmp_path / "model")
    loaded = load(tmp_path / "model", "cpu", atelier=built_ins)
    again = loaded.generate(prompt="a red cat", **ask(name, one), seed=3)
    assert pixels(again) == pixels(pictures)
    again[0].save(tmp_path / "picture.png")
    assert replay(tmp_path / "picture.png", atelier=built_ins).verdict == "identical"

    request = json.loads(json.dumps(again[0].provenance["request"]))
    assert pixels(loaded.generate(**request.pop("inputs"), **request)) == pixels(pictures)


def test_several_spatial_parts_are_in_the_order_of_the_denoiser(compose_spatial):
    for order in (("semantic_map", "mask", "image"), ("mask", "image", "semantic_map")):
        pipeline = compose_spatial(*order)
        inputs = []
        first = pipeline.denoiser.input_blocks[0]
        hook = first.register_forward_pre_hook(
            lambda _, given, inputs=inputs: inputs.append(given[0])
        )
        pictures = pipeline.generate(prompt="a red cat", **ask_all(), seed=3, steps=1)
        hook.remove()
        assert pictures[0].image.size == (24, 16)
        rows = {
            name: [read_input(pipeline.conditioners[name].Input, CASES[name][2], name)]
            for name in CASES
        }
        frame_parts = condition_of(pipeline, rows).spatial
        assert list(frame_parts) == list(CASES)
        expected = torch.cat([frame_parts[name] for name in order], dim=1)
        assert torch.equal(inputs[0][:1, 4:], expected)


def condition_of(pipeline, rows):
    geometry = PictureGeometry((16, 24), (8, 12), first_stage=pipeline.first_stage)
    with torch.no_grad():
        return pipeline.condition_builder().condition(rows, 1, geometry)


@pytest.mark.parametrize("name", CASES)
def test_emoji_scenes_train_it(name, compose_spatial):
    """The way that training goes: read, augment, prepare, encode, drop some rows."""
    scenes = EmojiScenes(SceneConfig(size=16))
    sources: dict[str, Any] = {
        "semantic_map": lambda k: torch.tensor(scenes.scene(k).semantic_map) % 5,
        "mask": lambda k: scenes[k]["image"],
        "image": lambda k: scenes[k]["image"],
    }
    pipeline = compose_spatial(name)
    conditioner = pipeline.conditioners[name]
    read = [read_input(conditioner.Input, sources[name](k), "the data") for k in range(2)]
    drawn = [conditioner.augment(each, np.random.default_rng(7)) for each in read]
    geometry = PictureGeometry((16, 16), (8, 8))
    batch = conditioner.prepare(drawn, geometry)
    assert all(len(tensor) == 2 for tensor in batch.values())
    geometry = PictureGeometry((16, 16), (8, 8), first_stage=pipeline.first_stage)
    part, null = conditioner(batch, geometry), conditioner.null(2, geometry)
    dropped = where(torch.tensor([True, False]), part, null).spatial
    assert torch.equal(dropped[0], part.spatial[0])
    assert torch.equal(dropped[1], null.spatial[1])
    assert not torch.equal(part.spatial[1], null.spatial[1])


@pytest.mark.parametrize("name", CASES)
def test_guidance_keeps_spatial_conditions(name, compose_spatial):
    """Published models never saw a row without it: the negative condition has it too."""
    pipeline, given = compose_spatial(name), CASES[name][2]
    made = [
        pipeline.generate(**ask(name, given), seed=3, steps=2, guidance=scale)[0].image
        for scale in (1.0, 7.0)
    ]
    apart = np.abs(np.asarray(made[0], dtype=int) - np.asarray(made[1], dtype=int))
    assert apart.max() <= 1


def test_guidance_acts_on_a_map_alone_that_is_guided(compose_tiny, tiny_changes):
    _, denoiser = tiny_changes()["denoiser"]
    config = {**CASES["semantic_map"][0], "absence": "guided"}
    pipeline = compose_tiny(
        denoiser=(
            "unet",
            {**denoiser, "vectors": {}, "streams": {}, "context_dim": None, "spatial": {"map": 3}},
        ),
        conditioners={"map": ("semantic_map", config)},
        inputs={"map": "map"},
        defaults={"size": 16},
    )
    assert pipeline.defaults.guidance.options == {}  # that of a model that can be guided
    made = [
        pixels(pipeline.generate(map=MAP, seed=3, steps=2, guidance=scale)) for scale in (1.0, 7.0)
    ]
    assert made[0] != made[1]


def test_known_pixels_are_exact(compose_spatial):
    (picture,) = compose_spatial("mask").generate(**ask("mask", CASES["mask"][2]), seed=3, steps=2)
    same = (np.asarray(picture.image) == np.asarray(IMAGE)).all(axis=2)
    assert same[~HOLE].all()
    assert not same[HOLE].all()


def test_each_condition_is_optional(compose_spatial):
    pipeline = compose_spatial("semantic_map", "mask")
    given = ask("mask", CASES["mask"][2])
    made = [
        pixels(pipeline.generate(prompt="a red cat", seed=3, size=(24, 16), steps=1, **some))[0]
        for some in ({}, {"semantic_map": MAP}, given, {**given, "semantic_map": MAP})
    ]
    assert len(set(made)) == 4


def test_it_works_in_half_precision(compose_spatial):
    pipeline = compose_spatial(*CASES).to(dtype="bfloat16")
    assert len(pipeline.generate(prompt="a red cat", **ask_all(), steps=1)) == 1


@pytest.mark.parametrize(
    ("request_fields", "message"),
    [
        (
            {"semantic_map": MAP, "init_image": SQUARE, "mask": HOLE[:, :16]},
            "semantic_map 24x16 and `init_image` 16x16; give `size`",
        ),
        ({"semantic_map": MAP, "size": 16}, "map is 24x16 and the picture 16x16"),
        ({"init_image": IMAGE, "mask": ~HOLE & HOLE}, "mask: the mask has no white pixels"),
        ({"init_image": IMAGE, "mask": HOLE[1:]}, "mask: is 24x15, and `init_image` 24x16"),
        ({"mask": HOLE}, "mask: needs `init_image`, which is missing"),
        ({"semantic_map": MAP + 1}, r"labels that this model does not know: 5 \("),
        ({"semantic_map": MAP[:15]}, "15 is not a multiple of 2"),
    ],
)
def test_invalid_requests_are_refused(compose_spatial, request_fields, message):
    with pytest.raises(InvalidInputError, match=message):
        compose_spatial("semantic_map", "mask").stream(prompt="a red cat", **request_fields)


def test_incompatible_channels_are_found_before_building(compose_tiny, tiny_changes):
    _, denoiser = tiny_changes()["denoiser"]
    with pytest.raises(CompatibilityError, match="'mask' gives a spatial part of width 4, the den"):
        compose_tiny(
            denoiser=(
                "unet",
                {**denoiser, "streams": {}, "context_dim": None, "spatial": {"mask": 5}},
            ),
            conditioners={"mask": ("mask", {"latent_channels": 3})},
            inputs=None,
        )


def test_published_denoisers_accept_published_conditioners(built_ins):
    """The input channels of the zoo: 6 for maps and super-resolution, 7 and 9 for inpainting."""
    conditioners = built_ins.conditioners
    for name, config, channels in (
        ("semantic_map", {"num_classes": 182, "n_stages": 2, "out_channels": 3}, 3 + 3),
        ("image", {"factor": 4}, 3 + 3),
        ("mask", {"latent_channels": 3}, 3 + 4),
        ("mask", {"latent_channels": 4}, 4 + 5),
    ):
        latents = config.get("latent_channels", 3)
        assert latents + conditioners.validate_config(name, config).outputs().spatial == channels
