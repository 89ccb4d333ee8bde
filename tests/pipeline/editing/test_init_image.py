"""Starting from a picture: how strength picks the first step, sizes, lists, seeds, replays."""

import numpy as np
import pytest
import torch
from PIL import Image

from latelier import default_atelier
from latelier.contracts.errors import InvalidInputError, UnknownNameError
from latelier.contracts.sampling import run_sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.noise import PerImageNoise
from latelier.pipeline.editing.init_image import last_steps

SAMPLERS = [
    spec.name
    for spec in default_atelier().samplers.specs()
    if spec.distribution == "latelier" and not (spec.traits and spec.traits.is_inversion)
]
REQUEST = {"prompt": "a red cat in a meadow", "seed": 5, "steps": 10}


def levels(picture):
    return np.asarray(picture.image, dtype=np.int16)


def latents_of(pipeline, **keywords):
    *_, last = pipeline.stream(**keywords)
    return last.latents


def encoded(pipeline, image):
    pixels = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        return pipeline.first_stage.encode(pixels)


@pytest.mark.parametrize(
    ("steps", "strength", "run"),
    [(20, 0.8, 16), (20, 1, 20), (20, 0.05, 1), (10, 0.99, 9), (10, 0.01, 1), (1, 0.5, 1)],
)
def test_strength_selects_the_last_steps_and_at_least_one(steps, strength, run):
    grid = SigmaGrid([float(k) for k in range(steps, -1, -1)], "ve")
    assert last_steps(grid, strength).sigmas == grid.sigmas[-run - 1 :]
    assert last_steps(grid, strength).frame == "ve"


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_run_equals_the_sampler_from_noised_latents_on_the_last_sigmas(tiny, photo, sampler):
    denoise = tiny.denoise_fn(prompt=REQUEST["prompt"], size=(24, 16))
    grid = last_steps(tiny.atelier.schedules.get("karras")(10, tiny.process), 0.4)
    assert grid.steps == 4
    noise = PerImageNoise([5], (4, 8, 12))
    x = tiny.process.noised(encoded(tiny, photo), noise.initial(), grid.sigmas[0])
    spec = tiny.atelier.samplers.spec(sampler)
    function = tiny.atelier.samplers.get(sampler)
    with torch.no_grad():
        *_, step = run_sampler(function, denoise, x, grid, noise, **spec.defaults)
    latents = latents_of(tiny, **REQUEST, init_image=photo, strength=0.4, sampler=sampler)
    assert torch.equal(tiny.process.finish(step.x, step.sigma), latents)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("process", ["vp", "edm", "rectified_flow"])
def test_low_strength_nearly_reproduces_the_picture(compose_tiny, photo, sampler, process):
    """Whatever the model says: one step from the lowest sigma but one."""
    pipeline = compose_tiny(process={"kind": process})
    schedule = {"name": "karras", "sigma_max": 0.2, "sigma_min": 0.01}
    latents = latents_of(
        pipeline, **REQUEST, init_image=photo, strength=0.01, sampler=sampler, schedule=schedule
    )
    original = encoded(pipeline, photo)
    near = (latents - original).norm() / original.norm()
    far = latents_of(
        pipeline, **REQUEST, init_image=photo, strength=0.9, sampler=sampler, schedule=schedule
    )
    assert near < 0.2
    assert near < (far - original).norm() / original.norm()


def test_strength_1_starts_from_pure_noise(tiny, photo, other_photo):
    one = latents_of(tiny, **REQUEST, init_image=photo, strength=1)
    assert torch.equal(one, latents_of(tiny, **REQUEST, init_image=other_photo, strength=1))
    assert torch.equal(one, latents_of(tiny, **REQUEST, size=(24, 16)))


def test_the_default_strength_is_0_8_and_1_with_a_mask(tiny, photo, left_stays):
    assert torch.equal(
        latents_of(tiny, **REQUEST, init_image=photo),
        latents_of(tiny, **REQUEST, init_image=photo, strength=0.8),
    )
    assert torch.equal(
        latents_of(tiny, **REQUEST, init_image=photo, mask=left_stays),
        latents_of(tiny, **REQUEST, init_image=photo, mask=left_stays, strength=1),
    )


def test_previews_count_the_steps_that_are_run(tiny, photo):
    previews = list(tiny.stream(**REQUEST, init_image=photo, strength=0.4))
    assert [(each.step, each.steps) for each in previews] == [(k, 4) for k in (1, 2, 3, 4)]


@pytest.mark.parametrize(("keywords", "made"), [(81, 84), (4, 4)])
def test_the_true_number_of_steps_is_reported(compose_tiny, keywords, made):
    """The schedule of the paper's code makes 84 steps of 81."""
    pipeline = compose_tiny(process={"kind": "vp"})
    previews = list(
        pipeline.stream(prompt="a cat", steps=keywords, schedule="compvis", guidance=1.0)
    )
    assert [each.step for each in previews] == list(range(1, made + 1))
    assert {each.steps for each in previews} == {made}
    provenance = previews[-1].pictures[0].provenance
    assert (provenance["steps"], provenance["request"]["steps"]) == (made, keywords)


@pytest.mark.parametrize("change", [{"seed": 6}, {"strength": 0.4}, {"prompt": "a blue dog"}])
def test_every_keyword_changes_the_picture(tiny, photo, other_photo, change):
    keywords = {**REQUEST, "strength": 0.7}
    latents = latents_of(tiny, **keywords, init_image=photo)
    assert not torch.equal(latents, latents_of(tiny, **{**keywords, **change}, init_image=photo))
    assert not torch.equal(latents, latents_of(tiny, **keywords, init_image=other_photo))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_picture_does_not_depend_on_its_batch(tiny, photo, other_photo, left_stays, sampler):
    """Two rows of two, each row with a picture of its own; all with the same mask."""
    keywords = {**REQUEST, "steps": 4, "strength": 0.8, "sampler": sampler, "mask": left_stays}
    together = tiny.generate(**keywords, init_image=[photo, other_photo], n=2)
    assert [picture.seed for picture in together] == [5, 6, 7, 8]
    for k in (0, 1, 3):
        own = {**keywords, "seed": 5 + k, "init_image": [photo, photo, None, other_photo][k]}
        (alone,) = tiny.generate(**own)
        assert np.abs(levels(together[k]) - levels(alone)).max() <= 2


def test_a_single_value_applies_to_all_rows(tiny, photo, other_photo, left_stays):
    prompts = {**REQUEST, "prompt": ["a cat", "a dog"], "steps": 2}
    both = tiny.generate(**prompts, init_image=photo, mask=left_stays)
    each = tiny.generate(**prompts, init_image=[photo, photo], mask=[left_stays, left_stays])
    assert all(np.abs(levels(a) - levels(b)).max() <= 2 for a, b in zip(both, each))
    pictures = tiny.generate(**{**REQUEST, "steps": 2}, init_image=[photo, other_photo])
    assert len(pictures) == 2
    assert len(tiny.generate(seed=1, steps=1, init_image=[photo, other_photo], n=2)) == 4


def test_the_default_size_is_that_of_the_picture(tiny, photo, left_stays):
    assert tiny.generate(**REQUEST, init_image=photo)[0].image.size == (24, 16)
    keywords = {**REQUEST, "mask": left_stays, "init_image": photo}
    (picture,) = tiny.generate(**keywords, size=(48, 32))
    assert picture.image.size == (48, 32)
    doubled = photo.resize((48, 32), Image.Resampling.LANCZOS)
    assert (levels(picture)[:, :18] == np.asarray(doubled)[:, :18]).all()
    of_two_sizes = [photo, photo.resize((8, 8))]
    assert len(tiny.generate(**REQUEST, init_image=of_two_sizes, size=16)) == 2


def test_paths_and_data_uris_are_accepted(tiny, photo, tmp_path):
    photo.save(tmp_path / "photo.png")
    expected = latents_of(tiny, **REQUEST, init_image=photo)
    for given in (tmp_path / "photo.png", str(tmp_path / "photo.png")):
        assert torch.equal(latents_of(tiny, **REQUEST, init_image=given), expected)
    (picture,) = tiny.generate(**REQUEST, init_image=photo)
    (uri,) = picture.provenance["request"]["init_image"]
    assert uri.startswith("data:image/png;base64,")
    assert torch.equal(latents_of(tiny, **REQUEST, init_image=uri), expected)


def test_provenance_holds_the_pictures_as_they_were_used(tiny, photo, left_stays):
    keywords = {**REQUEST, "n": 2, "steps": 4, "strength": 0.5, "size": (12, 8)}
    pictures = tiny.generate(**keywords, init_image=photo, mask=left_stays)
    provenance = pictures[1].provenance
    request = dict(provenance["request"])
    assert (request["strength"], provenance["steps"]) == (0.5, 2)
    assert {name: len(each) for name, each in provenance["pictures_sha256"].items()} == {
        "init_image": 1,
        "mask": 1,
    }
    again = tiny.generate(**request.pop("inputs"), **request)
    assert [a.image.tobytes() for a in again] == [b.image.tobytes() for b in pictures]
    assert again[1].provenance == provenance


def test_without_an_init_image_provenance_has_none(tiny):
    provenance = tiny.generate(**REQUEST)[0].provenance
    assert provenance["pictures_sha256"] == {"init_image": [], "mask": []}


def test_nothing_touches_the_global_random_state(tiny, photo, left_stays):
    state = torch.get_rng_state()
    tiny.generate(**REQUEST, init_image=photo, mask=left_stays, sampler="ddpm")
    assert torch.equal(state, torch.get_rng_state())


def test_no_gradients_are_computed(tiny, photo, left_stays):
    previews = tiny.stream(**REQUEST, init_image=photo, mask=left_stays)
    assert not any(each.latents.requires_grad for each in previews)


def sized(width, height):
    return Image.new("RGB", (width, height))


BLACK, WHITE = Image.new("L", (16, 16)), Image.new("L", (16, 16), 255)
ALL_BUT_A_DOT = Image.new("L", (16, 16), 255)
ALL_BUT_A_DOT.putpixel((3, 3), 0)
CASES = {
    "misspelt": ({"init_imag": sized(16, 16)}, "'init_imag'. Did you mean 'init_image'"),
    "strength alone": ({"strength": 0.5}, "strength: needs `init_image`, which is missing"),
    "mask alone": ({"mask": WHITE}, "mask: needs `init_image`, which is missing"),
    "no strength": ({"init_image": sized(16, 16), "strength": 0}, "'strength': .*greater than 0"),
    "too much": ({"init_image": sized(16, 16), "strength": 1.1}, "'strength': .*equal to 1"),
    "no number": ({"init_image": sized(16, 16), "strength": float("nan")}, "'strength'"),
    "no picture": ({"init_image": 3}, "'init_image.0': an image is a PIL image, a path"),
    "no file": ({"init_image": "gone.png"}, "'init_image.0': no image can be read from 'gone.png'"),
    "no mask": ({"init_image": sized(16, 16), "mask": "gone.png"}, "'mask.0': no image can be"),
    "an empty list": ({"init_image": []}, "'init_image'"),
    "not a multiple": (
        {"init_image": sized(17, 16)},
        "init_image: the width 17 is not a multiple of 2.*the nearest is 16, and with a `size`",
    ),
    "nor the height": ({"init_image": sized(16, 21)}, "the height 21 .*the nearest is 20"),
    "a size that does not fit": ({"init_image": sized(16, 16), "size": 17}, "size: the width 17"),
    "a mask of another size": (
        {"init_image": sized(16, 16), "mask": BLACK.resize((8, 8))},
        "mask: is 8x8, and `init_image` 16x16",
    ),
    "nothing stays": (
        {"init_image": sized(16, 16), "mask": WHITE},
        "mask: no black area covers a whole latent cell .2x2 px.*paint more of it black",
    ),
    "nothing is repainted": (
        {"init_image": sized(16, 16), "mask": BLACK},
        "mask: the mask has no white pixels; white marks what to repaint",
    ),
    "one of two masks": (
        {"init_image": sized(16, 16), "mask": [ALL_BUT_A_DOT, BLACK]},
        "mask: the mask has no white pixels",
    ),
    "less than a cell stays": (
        {"init_image": sized(16, 16), "mask": ALL_BUT_A_DOT},
        "mask: no black area covers a whole latent cell .2x2 px",
    ),
    "pictures of two sizes": (
        {"init_image": [sized(16, 16), sized(8, 8)]},
        "different sizes, `init_image` 16x16 and `init_image` 8x8",
    ),
    "more pictures than prompts": (
        {"init_image": [sized(16, 16)] * 4, "prompt": ["a", "b"]},
        "numbers of rows differ: the inputs 2, `init_image` 4, `mask` 1; one stands for all rows",
    ),
    "more masks than pictures": (
        {"init_image": [sized(16, 16)] * 2, "mask": [ALL_BUT_A_DOT] * 3},
        "the inputs 1, `init_image` 2, `mask` 3",
    ),
}


@pytest.mark.parametrize(("keywords", "message"), CASES.values(), ids=CASES.keys())
def test_invalid_requests_are_refused(tiny, keywords, message):
    for run in (tiny.generate, tiny.stream):  # a stream refuses at once
        with pytest.raises((InvalidInputError, UnknownNameError), match=message) as caught:
            run(**{"prompt": "a cat", "seed": 1, "steps": 1, **keywords})
        assert len(str(caught.value)) < 600


def test_inputs_and_the_picture_must_agree_on_a_size(tiny, photo, monkeypatch):
    text = tiny.conditioners["text"]
    monkeypatch.setattr(type(text), "output_size", lambda *_: (16, 16))
    with pytest.raises(InvalidInputError, match="text 16x16 and `init_image` 24x16"):
        tiny.generate(**REQUEST, init_image=photo)
    assert tiny.generate(**REQUEST, init_image=photo, size=(24, 16))[0].image.size == (24, 16)
