"""Every registered acceleration on the model that ships in the package."""

import json

import pytest
import torch
from PIL import Image

import latelier
from latelier.contracts.errors import CompatibilityError, ConditionError, InvalidInputError
from latelier.pipeline.replay.replay import replay

LEFT = Image.new("L", (64, 64), 0)
LEFT.paste(255, (0, 0, 32, 64))
CHOICES = {"deep_cache": {"interval": 2}, "token_merging": {"min_tokens": 64, "ratio": 0.25}}
REQUEST = {"prompt": "a red apple", "seed": 7, "steps": 4, "guidance": 3.0}
RUNS = {
    "plain": {},
    "unguided": {"guidance": 1.0},
    "heun": {"sampler": "heun"},
    "stochastic": {"sampler": "dpmpp_2m_sde"},
    "two calls a step": {"guidance": {"name": "pag"}},
    "guided at some sigmas": {"guidance": {"name": "cfg_interval"}},
    "windows": {"size": 96, "window": 64},
    "img2img": {"init_image": Image.new("RGB", (64, 64), "red"), "strength": 0.75},
    "inpainting": {
        "init_image": Image.new("RGB", (64, 64), "red"),
        "mask": LEFT,
        "repaint_resamples": 2,
    },
}


@pytest.fixture(scope="module")
def pipe():
    return latelier.load("emoji-scenes", device="cpu", dtype="float32")


def latents_of(pipe, **keywords):
    *_, last = pipe.stream(**{**REQUEST, **keywords})
    return last.latents


def choice(name):
    return {"name": name, **CHOICES[name]}


def distance(found, expected):
    return float((found - expected).norm() / expected.norm())


def test_every_registered_acceleration_is_tested(built_ins):
    assert set(built_ins.accelerations.names()) == set(CHOICES)


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("name", CHOICES)
def test_pictures_are_others_and_similar(pipe, name, run):
    exact = latents_of(pipe, **RUNS[run])
    found = latents_of(pipe, **RUNS[run], acceleration=choice(name))
    assert 0 < distance(found, exact) < 0.5


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("options", [{"interval": 1}, {"ratio": 0.0}])
def test_options_that_are_exact_keep_the_bits(pipe, options, run):
    name = "deep_cache" if "interval" in options else "token_merging"
    exact = latents_of(pipe, **RUNS[run])
    assert torch.equal(latents_of(pipe, **RUNS[run], acceleration={"name": name, **options}), exact)


@pytest.mark.parametrize("name", CHOICES)
def test_images_do_not_depend_on_the_batch(pipe, name):
    together = latents_of(pipe, n=3, acceleration=choice(name))
    in_batches = latents_of(pipe, n=3, batch_size=2, acceleration=choice(name))
    alone = latents_of(pipe, seed=9, acceleration=choice(name))
    assert distance(together[2:], alone) < 1e-3
    assert distance(in_batches, alone) < 1e-3


@pytest.mark.parametrize("name", CHOICES)
def test_a_picture_records_it_and_replays(pipe, name, tmp_path):
    [picture] = pipe.generate(**REQUEST, acceleration=choice(name))
    recorded = json.loads(json.dumps(picture.provenance))
    assert recorded["request"]["acceleration"]["name"] == f"latelier/{name}"
    assert CHOICES[name].items() <= recorded["request"]["acceleration"]["options"].items()
    assert recorded["functions"]["acceleration"]["id"] == f"latelier/{name}"
    picture.save(tmp_path / "picture.png")
    report = replay(tmp_path / "picture.png")
    assert (report.verdict, report.differences) == ("identical", ())


def test_an_exact_picture_records_none(pipe):
    [picture] = pipe.generate(**REQUEST)
    assert picture.provenance["request"]["acceleration"] is None
    assert "acceleration" not in picture.provenance["functions"]


def test_deep_cache_skips_the_deep_blocks(pipe):
    ran = []
    hook = pipe.denoiser.middle_block.register_forward_hook(lambda *_: ran.append("middle"))
    try:
        latents_of(pipe, steps=6, acceleration={"name": "deep_cache", "interval": 3})
        assert len(ran) == 2
        ran.clear()
        latents_of(pipe, steps=6, sampler="heun", acceleration={"name": "deep_cache"})
        assert len(ran) == 2
    finally:
        hook.remove()


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"acceleration": "deep_cash"}, latelier.LatelierError, "Did you mean 'deep_cache'"),
        (
            {"acceleration": {"name": "deep_cache", "interval": 0}},
            InvalidInputError,
            "acceleration 'deep_cache': 'interval': .*greater than or equal to 1",
        ),
        (
            {"acceleration": {"name": "token_merging", "share": 1}},
            InvalidInputError,
            "no field 'share'",
        ),
        ({"acceleration": 2}, InvalidInputError, "'acceleration'"),
        (
            {"acceleration": {"name": "deep_cache", "depth": 9}},
            ConditionError,
            "no deep branch of depth 9; this denoiser has 1 to 6",
        ),
    ],
)
def test_a_wrong_choice_is_one_clear_error(pipe, options, error, text):
    with pytest.raises(error, match=text):
        pipe.generate(**REQUEST, **options)


def test_a_model_that_cannot_be_accelerated_is_one_clear_error(compose_tiny, built_ins):
    transformer = (
        "transformer",
        {
            "in_channels": 4,
            "out_channels": 4,
            "input_size": 4,
            "hidden_size": 16,
            "depth": 2,
            "num_heads": 2,
            "context_dim": 16,
            "streams": {"text": {"width": 16, "injection": "native"}},
            "vectors": {"label": 8},
        },
    )
    pipe = compose_tiny(built_ins, denoiser=transformer)
    with pytest.raises(CompatibilityError, match="'deep_cache' needs a denoiser that supports"):
        pipe.stream(prompt="a cat", acceleration="deep_cache")
    merging = {"name": "token_merging", "min_tokens": 4}
    exact, found = (
        pipe.generate(prompt="a cat", seed=1, acceleration=each)[0] for each in (None, merging)
    )
    assert exact.image.size == found.image.size
