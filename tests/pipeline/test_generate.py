"""Making pictures: the three ways to run agree, seeds and batches, prompts, cancelling, threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from latelier.contracts.errors import CompatibilityError
from latelier.contracts.sampling import run_sampler
from latelier.diffusion.noise import PerImageNoise
from latelier.pipeline import load
from latelier.pipeline.pipeline import Pipeline
from latelier.pipeline.request import Request

REQUEST = {"prompt": "a red cat in a meadow", "label": "cat", "seed": 5}


def pixels(pictures):
    return [picture.image.tobytes() for picture in pictures]


def latents_of(pipeline, **keywords):
    *_, last = pipeline.stream(**keywords)
    return last.latents


def test_the_same_request_gives_the_same_bits(tiny):
    assert pixels(tiny.generate(**REQUEST)) == pixels(tiny.generate(**REQUEST))


def test_generate_passes_on_every_field_of_a_request(tiny, monkeypatch):
    received = {}
    monkeypatch.setattr(
        Pipeline, "stream", lambda _self, **keywords: received.update(keywords) or iter(())
    )
    given = {name: object() for name in Request.model_fields if name != "inputs"}
    tiny.generate(**given, prompt="a cat")
    assert received == {**given, "prompt": "a cat"}


def test_a_picture_is_an_image_with_its_seed(tiny):
    pictures = tiny.generate(**REQUEST, n=2)
    assert [picture.seed for picture in pictures] == [5, 6]
    assert {picture.image.size for picture in pictures} == {(16, 16)}
    assert {picture.image.mode for picture in pictures} == {"RGB"}
    assert len(set(pixels(pictures))) == 2


def test_a_size_is_width_and_height(tiny):
    assert tiny.generate(**REQUEST, size=(24, 8))[0].image.size == (24, 8)
    assert tiny.generate(**REQUEST, size=8)[0].image.size == (8, 8)


def test_a_schedule_may_depend_on_the_size_of_the_picture(tiny):
    def second_sigma(size):
        request = {**REQUEST, "steps": 2, "size": size, "schedule": "dynamic_shift"}
        return next(tiny.stream(**request)).sigma

    assert second_sigma((16, 16)) < second_sigma((32, 32)) < second_sigma((64, 32))


def test_without_a_seed_each_run_draws_one(tiny):
    seeds = {tiny.generate(prompt="a cat", steps=1)[0].seed for _ in range(3)}
    assert len(seeds) == 3


def test_streaming_ends_with_the_pictures_of_generate(tiny):
    previews = list(tiny.stream(**REQUEST, n=2, steps=4))
    assert [(each.step, each.steps) for each in previews] == [(k, 4) for k in (1, 2, 3, 4)]
    assert [bool(each.pictures) for each in previews] == [False] * 3 + [True]
    assert pixels(previews[-1].pictures) == pixels(tiny.generate(**REQUEST, n=2, steps=4))
    assert previews[-1].image is previews[-1].pictures[0].image
    assert [each.size for each in previews[0].images] == [(16, 16)] * 2
    assert previews[0].image.tobytes() != previews[-1].image.tobytes()
    sigmas = [each.sigma for each in previews]
    assert sigmas == sorted(sigmas, reverse=True)
    assert sigmas[-1] == 0


@pytest.mark.parametrize("sampler", ["heun", {"name": "ddim", "eta": 0.7}])
def test_a_sampler_outside_the_pipeline_gets_the_same_latents(tiny, sampler):
    """`denoise_fn`, the process and a registered sampler are all that a run is made of."""
    name, options = (sampler, {}) if isinstance(sampler, str) else ("ddim", {"eta": 0.7})
    denoise = tiny.denoise_fn(prompt=REQUEST["prompt"], label="cat", n=2, guidance=2.0)
    grid = tiny.atelier.schedules.get("karras")(4, tiny.process)
    noise = PerImageNoise([5, 6], (4, 8, 8))
    x = tiny.process.initial(noise.initial(), grid.sigmas[0])
    with torch.no_grad():
        *_, step = run_sampler(tiny.atelier.samplers.get(name), denoise, x, grid, noise, **options)
    latents = latents_of(tiny, **REQUEST, n=2, steps=4, guidance=2.0, sampler=sampler)
    assert torch.equal(tiny.process.finish(step.x, step.sigma), latents)


def test_a_run_that_ends_above_sigma_0_is_rescaled_for_the_model(compose_tiny):
    """The paper's sampler ends at the first training step's sigma, which is not 0."""
    pipeline = compose_tiny(process={"kind": "vp"})
    options = {"spacing": "leading", "offset": 1, "final": "first"}
    schedule = {"name": "model", **options}
    latents = latents_of(pipeline, **REQUEST, schedule=schedule, sampler="ddim", guidance=1.0)
    denoise = pipeline.denoise_fn(prompt=REQUEST["prompt"], label="cat", guidance=1.0)
    grid = pipeline.atelier.schedules.get("model")(3, pipeline.process, **options)
    noise = PerImageNoise([5], (4, 8, 8))
    x = pipeline.process.initial(noise.initial(), grid.sigmas[0])
    with torch.no_grad():
        *_, step = pipeline.atelier.samplers.get("ddim")(denoise, x, grid, noise=noise)
    assert step.sigma == pipeline.process.sigma_min > 0
    assert torch.equal(latents, pipeline.process.finish(step.x, step.sigma))
    assert not torch.equal(latents, step.x)
    assert not torch.equal(latents, step.denoised)


def test_denoise_accepts_a_sigma_per_image(tiny):
    denoise = tiny.denoise_fn(prompt="a cat", n=2)
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        both = denoise(x, torch.tensor([0.3, 0.8]))
        one, other = denoise(x, 0.3), denoise(x, 0.8)
    torch.testing.assert_close(both[0], one[0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(both[1], other[1], rtol=1e-5, atol=1e-5)


def close(one, other):
    """Within 2 of 255, as promised for other batch sizes."""
    a, b = (np.asarray(picture.image, dtype=np.int16) for picture in (one, other))
    return np.abs(a - b).max() <= 2


def test_image_k_of_seed_s_is_image_0_of_seed_s_plus_k(tiny):
    together = tiny.generate(**REQUEST, n=3, guidance=5.0)
    latents = latents_of(tiny, **REQUEST, n=3, guidance=5.0)
    for k in (1, 2):
        alone = {**REQUEST, "seed": 5 + k, "guidance": 5.0}
        assert close(together[k], tiny.generate(**alone)[0])
        own = latents_of(tiny, **alone)[0]
        assert (latents[k] - own).norm() <= 1e-4 * own.norm()


def test_noise_does_not_depend_on_the_batch():
    many, one = PerImageNoise([5, 6, 7], (4, 8, 8)), PerImageNoise([6], (4, 8, 8))
    for _ in range(3):
        assert torch.equal(many(1.0, 0.5)[1], one(1.0, 0.5)[0])


def test_a_list_of_prompts_gives_n_pictures_for_each(tiny):
    prompts = ["a red cat in a meadow", "a blue dog on the sea"]
    pictures = tiny.generate(prompt=prompts, label=["cat", "dog"], n=2, seed=5)
    assert [picture.seed for picture in pictures] == [5, 6, 7, 8]
    for k, (prompt, label) in enumerate([(prompts[0], "cat")] * 2 + [(prompts[1], "dog")] * 2):
        assert close(pictures[k], tiny.generate(prompt=prompt, label=label, seed=5 + k)[0])


def test_a_single_value_applies_to_all_rows(tiny):
    both = tiny.generate(prompt=["a cat", "a dog"], label="fish", seed=5)
    each = tiny.generate(prompt=["a cat", "a dog"], label=["fish", "fish"], seed=5)
    assert pixels(both) == pixels(each)


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "a blue dog on the sea"},
        {"label": "dog"},
        {"label": None},
        {"prompt": None},
        {"negative": "a dog"},
        {"negative": {"label": "dog"}},
        {"guidance": 1.0},
        {"seed": 6},
        {"steps": 4},
        {"sampler": "heun"},
        {"schedule": "model"},
        {"sampler": {"name": "ddim", "eta": 1}},
    ],
)
def test_every_keyword_changes_the_picture(tiny, change):
    assert pixels(tiny.generate(**REQUEST)) != pixels(tiny.generate(**{**REQUEST, **change}))


def test_a_short_form_and_a_full_form_are_the_same(tiny):
    short = tiny.generate(**REQUEST, guidance=2.0, sampler="ddim")
    full = tiny.generate(
        prompt={"text": REQUEST["prompt"]},
        label={"label": 0},
        seed=5,
        guidance={"name": "cfg", "scale": 2.0},
        sampler={"name": "latelier/ddim", "options": {"eta": 0.0}},
    )
    assert pixels(short) == pixels(full)


def test_guidance_1_is_the_conditional_estimate(tiny):
    calls = []
    handle = tiny.denoiser.register_forward_hook(lambda _, args, __: calls.append(len(args[0])))
    try:
        alone = latents_of(tiny, **REQUEST, guidance=1.0)
    finally:
        handle.remove()
    assert calls == [1, 1, 1]  # half the rows of a guided run
    assert torch.equal(alone, latents_of(tiny, **REQUEST, guidance=1.0, negative="a dog"))


def test_guidance_0_is_the_negative_estimate(tiny):
    unguided = latents_of(
        tiny, **REQUEST, guidance=0.0, negative={"prompt": "a dog", "label": "dog"}
    )
    direct = latents_of(tiny, prompt="a dog", label="dog", seed=5, guidance=1.0)
    torch.testing.assert_close(unguided, direct, rtol=1e-4, atol=1e-4)


def test_a_run_may_be_cancelled_between_steps(tiny):
    calls = []
    handle = tiny.denoiser.register_forward_hook(lambda *_: calls.append(1))
    try:
        previews = tiny.stream(**REQUEST, steps=10)
        next(previews)
        next(previews)
        previews.close()
    finally:
        handle.remove()
    assert len(calls) == 2
    assert pixels(tiny.generate(**REQUEST)) == pixels(tiny.generate(**REQUEST))


def test_streams_may_be_interleaved(tiny):
    keywords = [{**REQUEST, "seed": seed, "sampler": {"name": "ddim", "eta": 1}} for seed in (5, 9)]
    for one, other in zip(*(tiny.stream(**each) for each in keywords)):
        last = (one, other)
    assert [each.pictures[0].image.tobytes() for each in last] == [
        tiny.generate(**each)[0].image.tobytes() for each in keywords
    ]


def test_eight_threads_get_the_bits_of_single_runs(tiny):
    requests = [
        {
            "prompt": f"a {color} cat",
            "label": k % 3,
            "seed": k,
            "n": 1 + k % 2,
            "steps": 2 + k % 3,
            "sampler": ("ddpm", "heun", "dpmpp_2m")[k % 3],
            "guidance": 1.0 + k % 4,
            "negative": "a dog" if k % 2 else None,
        }
        for k, color in enumerate(["red", "blue", "green", "red"] * 2)
    ]
    alone = [pixels(tiny.generate(**request)) for request in requests]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda request: pixels(tiny.generate(**request)), requests))
    assert together == alone
    assert len({bits for each in alone for bits in each}) == 12


def test_nothing_touches_the_global_random_state_or_the_threads(tiny):
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    tiny.generate(**REQUEST, sampler="ddpm")
    assert torch.equal(state, torch.get_rng_state())
    assert threads == torch.get_num_threads()


def test_no_gradients_are_computed(compose_tiny):
    pipeline = compose_tiny()
    pipeline.denoiser.requires_grad_(True)
    assert not any(each.latents.requires_grad for each in pipeline.stream(**REQUEST))


def test_a_composed_pipeline_is_frozen_and_equals_the_loaded_one(tiny, tmp_path, built_ins):
    tiny.save(tmp_path / "model")
    loaded = load(tmp_path / "model", "cpu", atelier=built_ins)
    for pipeline in (tiny, loaded):
        modules = [component.module for component in pipeline.components().values()]
        assert not any(each.requires_grad for module in modules for each in module.parameters())
    assert pixels(tiny.generate(**REQUEST)) == pixels(loaded.generate(**REQUEST))


def test_a_pipeline_without_conditioners_generates(compose_tiny, tiny_changes):
    denoiser = {**tiny_changes()["denoiser"][1], "context_dim": None, "streams": {}, "vectors": {}}
    pipeline = compose_tiny(denoiser=("unet", denoiser), conditioners={}, inputs=None)
    assert len(pipeline.generate(n=2, seed=1, guidance=1.0)) == 2
    with pytest.raises(CompatibilityError, match=r"needs a null condition.*set guidance to 1"):
        pipeline.generate(seed=1, guidance=3.0)


def test_a_pipeline_without_conditioners_is_not_guided_by_default(compose_tiny, tiny_changes):
    parts = tiny_changes()
    denoiser = {**parts["denoiser"][1], "context_dim": None, "streams": {}, "vectors": {}}
    changes = {"denoiser": ("unet", denoiser), "conditioners": {}, "inputs": None}
    pipeline = compose_tiny(**changes, defaults={"size": 16})
    assert pipeline.defaults.guidance.options == {"scale": 1.0}
    assert compose_tiny(defaults={"size": 16}).defaults.guidance.options == {}


def test_lower_precision_is_close(tiny):
    half = tiny.to(dtype="bfloat16")
    assert half.denoiser.out[0].weight.dtype == torch.bfloat16
    assert {weights.dtype for weights in tiny.denoiser.parameters()} == {torch.float32}
    exact, near = (latents_of(each, **REQUEST, guidance=1.0) for each in (tiny, half))
    assert near.dtype == torch.float32  # the sampler's state keeps its precision
    assert 0 < (exact - near).norm() < 0.1 * exact.norm()
    assert half.generate(**REQUEST)[0].provenance["machine"]["precision"] == "bfloat16"


def test_moving_to_the_same_device_shares_the_weights(tiny):
    assert tiny.to("cpu").denoiser is tiny.denoiser
    assert tiny.to(dtype="float64").denoiser is not tiny.denoiser
