"""Every registered guidance on the model that ships in the package."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import latelier
from latelier.contracts.errors import CompatibilityError, ConditionError, InvalidInputError
from latelier.diffusion.guidance.energy import apply_energy_guidance
from latelier.diffusion.noise import PerImageNoise

CHOICES = {
    "apg": {},
    "cfg": {"interval": [0.3, 5]},
    "cfg_interval": {},
    "cfg_rescale": {},
    "cfgpp": {},
    "composable": {"also": {"a cat": 3, "fog": -2}},
    "dynamic_thresholding": {},
    "image_guided": {"target": Image.new("RGB", (16, 16), "red"), "strength": 5.0},
    "pag": {},
    "per_condition": {"scales": {"text": 5, "class_label": 2}, "form": "nested"},
}
REQUEST = {"prompt": "a red apple", "class_label": 3, "seed": 7, "steps": 2, "sampler": "ddim"}


@pytest.fixture(scope="module")
def pipe():
    return latelier.load("emoji-scenes", device="cpu")


def latents_of(pipe, **keywords):
    *_, last = pipe.stream(**{**REQUEST, **keywords})
    return last.latents


def test_every_registered_rule_is_tested(built_ins):
    assert set(built_ins.guidances.names()) == set(CHOICES)


@pytest.mark.parametrize("name", CHOICES)
def test_guidance_changes_the_picture(pipe, name):
    guided = latents_of(pipe, guidance={"name": name, **CHOICES[name]})
    alone = latents_of(pipe, guidance=1.0)
    assert torch.isfinite(guided).all()
    assert (guided - alone).norm() > 0.01 * alone.norm()


@pytest.mark.parametrize("name", CHOICES)
def test_the_recorded_guidance_is_json_and_reproduces(pipe, name):
    keywords = {**REQUEST, "guidance": {"name": name, **CHOICES[name]}}
    *_, last = pipe.stream(**keywords)
    recorded = json.loads(json.dumps(last.pictures[0].provenance))["request"]["guidance"]
    assert recorded["name"] == f"latelier/{name}"
    assert torch.equal(latents_of(pipe, guidance=recorded), last.latents)


@pytest.mark.parametrize("name", CHOICES)
def test_images_do_not_depend_on_the_batch(pipe, name):
    guidance = {"name": name, **CHOICES[name]}
    together = latents_of(pipe, n=2, guidance=guidance)
    alone = latents_of(pipe, seed=8, guidance=guidance)
    assert (together[1:] - alone).norm() < 1e-4 * alone.norm()


def test_a_further_prompt_has_the_condition_of_its_own_run(pipe):
    """With the weight of the run's own prompt at 0, what remains is guidance by another."""
    also = {"name": "composable", "scale": 0.0, "also": {"a cat": 4.0}}
    composed = latents_of(pipe, guidance=also)
    torch.testing.assert_close(composed, latents_of(pipe, prompt="a cat", guidance=4.0))
    in_windows = {"size": 96, "window": 64, "window_batch": 4, "steps": 1}
    composed = latents_of(pipe, guidance=also, **in_windows)
    plain = latents_of(pipe, prompt="a cat", guidance=4.0, **in_windows)
    torch.testing.assert_close(composed, plain, rtol=1e-4, atol=1e-4)


def test_image_guidance_matches_the_downsampled_target(pipe):
    target = Image.new("RGB", (16, 16), "green")
    keywords = {**REQUEST, "steps": 6}

    def distance(guidance):
        picture = pipe.generate(**keywords, guidance=guidance)[0].image
        small = np.asarray(picture.resize((16, 16)), dtype=float)
        return np.square(small - np.asarray(target)).mean()

    guided = {"name": "image_guided", "target": target, "strength": 5.0}
    assert distance(guided) < 0.5 * distance(1.0)


def test_the_energy_example_of_the_docs_runs(pipe):
    """The example of docs/guidance.md: pictures whose latents are lower on the left."""

    def energy(x0, x, sigma):
        left, right = x0.chunk(2, dim=-1)
        return (left - right).sum((1, 2, 3))

    grid = pipe.atelier.schedules.get("karras")(4, pipe.process)
    x = pipe.process.initial(PerImageNoise([7], (6, 16, 16)).initial(), grid.sigmas[0])

    def difference(denoise):
        *_, step = pipe.atelier.samplers.get("ddim")(denoise, x, grid, noise=None)
        return float(energy(step.x, x, 0.0))

    plain = pipe.denoise_fn(prompt="a cat", guidance=5.0)
    guided = apply_energy_guidance("lower_left", plain, energy, grid.frame, 0.1)
    with torch.no_grad():
        assert difference(guided) < difference(plain) - 5


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"guidance": {"name": "cfgpp", "scale": 5}}, InvalidInputError, "'scale'"),
        ({"guidance": "cfgpp", "sampler": "heun"}, CompatibilityError, "sampler 'ddim'"),
        ({"guidance": "per_condition"}, InvalidInputError, "'scales' is required"),
        (
            {"guidance": {"name": "per_condition", "scales": {"layout": 2}}},
            InvalidInputError,
            "no conditioner 'layout'.*class_label, text",
        ),
        (
            {"guidance": {"name": "image_guided", **CHOICES["image_guided"]}, "window": 32},
            CompatibilityError,
            "looks at whole pictures, and this run denoises a picture in windows",
        ),
        ({"guidance": {"name": "pag", "layers": ["mid"]}}, ConditionError, "no self-attention"),
    ],
)
def test_invalid_guidance_is_one_error(pipe, keywords, error, message):
    with pytest.raises(error, match=message) as refused:
        latents_of(pipe, **keywords)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["cfg", "cfg_rescale", "cfg_interval", "dynamic_thresholding"])
def test_a_named_rule_has_the_scale_of_the_model(tiny, name):
    def scale_of(guidance):
        (picture,) = tiny.generate(prompt="a cat", seed=5, steps=1, guidance=guidance)
        return picture.provenance["request"]["guidance"]["options"]["scale"]

    assert tiny.defaults.guidance.options["scale"] == 3.0
    assert scale_of(name) == 3.0
    assert scale_of({"name": name, "scale": 5.0}) == 5.0


@pytest.mark.parametrize(("name", "scale"), [("apg", 10.0), ("cfgpp", 0.6)])
def test_a_rule_with_a_different_kind_of_scale_keeps_its_default(tiny, name, scale):
    keywords = {"prompt": "a cat", "seed": 5, "steps": 1, "sampler": "ddim"}
    (picture,) = tiny.generate(**keywords, guidance=name)
    assert picture.provenance["request"]["guidance"]["options"]["scale"] == scale


@pytest.mark.parametrize(
    "negative", ["", "  ", {"prompt": ""}, {"prompt": "", "label": None}, [""], {}]
)
def test_an_empty_negative_is_ignored(tiny, negative):
    keywords = {"prompt": "a cat", "seed": 5, "steps": 2}
    (with_it,), (without,) = tiny.generate(**keywords, negative=negative), tiny.generate(**keywords)
    assert with_it.image.tobytes() == without.image.tobytes()
    assert with_it.provenance["request"]["negative"] == {}


def test_an_empty_negative_is_ignored_for_its_row_only(tiny):
    keywords = {"prompt": ["a cat", "a cat"], "seed": 5, "steps": 2}
    (fog, nothing) = tiny.generate(**keywords, negative=["fog", ""])
    (_, plain), (misty, _) = tiny.generate(**keywords), tiny.generate(**keywords, negative="fog")
    assert nothing.image.tobytes() == plain.image.tobytes()
    assert fog.image.tobytes() == misty.image.tobytes()
    request = dict(nothing.provenance["request"])
    assert request["negative"] == {"prompt": ["fog", None]}
    again = tiny.generate(**request.pop("inputs"), **request)
    assert [each.image.tobytes() for each in again] == [fog.image.tobytes(), plain.image.tobytes()]
