"""Every registered guidance on the model that ships in the package."""

import json

import pytest
import torch

import latelier
from latelier.diffusion.guidance.energy import down_energy
from latelier.diffusion.noise import ImageNoise
from latelier.kernel.errors import CompatibilityError, ConditionError, InvalidInputError

CHOICES = {
    "apg": {},
    "cfg": {"interval": [0.3, 5]},
    "cfg_interval": {},
    "cfg_rescale": {},
    "cfgpp": {},
    "dynamic_thresholding": {},
    "pag": {},
    "per_condition": {"scales": {"text": 5, "class_label": 2}, "form": "nested"},
}
ASKED = {"prompt": "a red apple", "class_label": 3, "seed": 7, "steps": 2, "sampler": "ddim"}


@pytest.fixture(scope="module")
def pipe():
    return latelier.load("emoji-scenes", device="cpu")


def latents_of(pipe, **asked):
    *_, last = pipe.stream(**{**ASKED, **asked})
    return last.latents


def test_none_is_forgotten_here(built_ins):
    assert set(built_ins.guidances.names()) == set(CHOICES)


@pytest.mark.parametrize("name", CHOICES)
def test_it_makes_other_pictures_than_the_condition_alone(pipe, name):
    guided = latents_of(pipe, guidance={"name": name, **CHOICES[name]})
    alone = latents_of(pipe, guidance=1.0)
    assert torch.isfinite(guided).all()
    assert (guided - alone).norm() > 0.01 * alone.norm()


@pytest.mark.parametrize("name", CHOICES)
def test_what_is_recorded_is_json_and_makes_the_same_latents(pipe, name):
    asked = {**ASKED, "guidance": {"name": name, **CHOICES[name]}}
    *_, last = pipe.stream(**asked)
    recorded = json.loads(json.dumps(last.pictures[0].provenance))["request"]["guidance"]
    assert recorded["name"] == f"latelier/{name}"
    assert torch.equal(latents_of(pipe, guidance=recorded), last.latents)


@pytest.mark.parametrize("name", CHOICES)
def test_an_image_is_the_same_in_any_batch(pipe, name):
    guidance = {"name": name, **CHOICES[name]}
    together = latents_of(pipe, n=2, guidance=guidance)
    alone = latents_of(pipe, seed=8, guidance=guidance)
    assert (together[1:] - alone).norm() < 1e-4 * alone.norm()


def test_an_energy_of_ones_own(pipe):
    """The example of docs/guidance.md: pictures whose latents are lower on the left."""

    def energy(x0, x, sigma):
        left, right = x0.chunk(2, dim=-1)
        return (left - right).sum((1, 2, 3))

    grid = pipe.atelier.schedules.get("karras")(4, pipe.process)
    x = pipe.process.initial(ImageNoise([7], (6, 16, 16)).initial(), grid.sigmas[0])

    def difference(denoise):
        *_, step = pipe.atelier.samplers.get("ddim")(denoise, x, grid, noise=None)
        return float(energy(step.x, x, 0.0))

    plain = pipe.denoise_fn(prompt="a cat", guidance=5.0)
    guided = down_energy("lower_left", plain, energy, grid.frame, 0.1)
    with torch.no_grad():
        assert difference(guided) < difference(plain) - 5


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({"guidance": {"name": "cfgpp", "scale": 5}}, InvalidInputError, "'scale'"),
        ({"guidance": "cfgpp", "sampler": "heun"}, CompatibilityError, "sampler 'ddim'"),
        ({"guidance": "per_condition"}, InvalidInputError, "'scales' is required"),
        (
            {"guidance": {"name": "per_condition", "scales": {"layout": 2}}},
            InvalidInputError,
            "no conditioner 'layout'.*class_label, text",
        ),
        ({"guidance": {"name": "pag", "layers": ["mid"]}}, ConditionError, "no self-attention"),
    ],
)
def test_what_cannot_be_is_one_error(pipe, asked, error, said):
    with pytest.raises(error, match=said) as refused:
        latents_of(pipe, **asked)
    assert "\n" not in str(refused.value)
