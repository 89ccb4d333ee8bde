"""A conditional decoder learns to take the pixels that inputs know, and to mend the others."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from latelier import default_atelier, load
from latelier.checkpoints.component import new_component
from latelier.contracts.errors import (
    CompatibilityError,
    InvalidConfigError,
    InvalidInputError,
    UnknownNameError,
)
from latelier.contracts.frozen import validate
from latelier.pipeline.editing.init_image import last_steps
from latelier.pipeline.request import Defaults
from latelier.training.conditional_decoder.train import (
    plan_conditional_decoder,
    train_conditional_decoder,
)
from latelier.training.configs.conditional_decoder import ConditionalDecoderTraining
from latelier.training.randomness import Draws, Purpose

SOURCES = {"prompt": {"source": "prompt"}, "small": {"source": "image", "drop": 0.0}}
VALUES = {
    "conditional_decoder": {"inputs": ["small"], "channels": 8, "blocks": 1},
    "inputs": SOURCES,
    "drop_all": 0.0,
    "denoising_steps": 4,
    "strength": 0.5,
    "steps": 2,
    "batch_size": 4,
    "accelerator": "cpu",
    "checkpoint_seconds": 1000,
    "sheet_every": 100,
    "validate_every": 100,
    "log_every": 1,
    "data": {"config": {"size": 16}},
    "validation_images": 20,
    "schedule": {"kind": "constant", "warmup": 0},
}


@pytest.fixture
def model(compose_tiny, tiny_changes, tmp_path):
    """The folder of a tiny model of a text and a picture of half the size."""
    parts = tiny_changes()
    parts["denoiser"][1].update(spatial={"small": 3}, vectors={})
    text = ("text", {"width": 16, "layers": 1, "heads": 2, "max_length": 128})
    small = ("image", {"factor": 2, "degradation": "bicubic", "absence": "trained"})
    parts |= {
        "conditioners": {"text": text, "small": small},
        "inputs": {"prompt": "text", "small": "small"},
    }
    compose_tiny(**parts).save(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def configure(model, tmp_path):
    def make(**changes):
        values = {**VALUES, "out": tmp_path / "run", "model": str(model), **changes}
        return validate(ConditionalDecoderTraining, values, "config")

    return make


@pytest.fixture
def make_plan(configure):
    return lambda **changes: plan_conditional_decoder(configure(**changes), default_atelier())


def batch_of(plan, count=4):
    return plan.objective.collate([plan.dataset[k] for k in range(count)])


def redraw(plan, batch, steps, kept=None):
    objective = plan.objective
    kept = kept or objective.conditioning.keep_all(len(batch["index"]))
    return objective.redraw(batch, kept, Draws(0, 0, batch["index"]), steps)


def test_without_steps_pictures_are_only_encoded(make_plan):
    plan = make_plan()
    batch, first_stage = batch_of(plan), plan.objective.first_stage
    with torch.no_grad():
        expected = first_stage.decode(first_stage.encode(batch["image"]))
    torch.testing.assert_close(redraw(plan, batch, 0).images, expected)


def test_pictures_are_redrawn_as_image_to_image_does(make_plan, model):
    plan = make_plan()
    batch = batch_of(plan, 1)
    sample = plan.dataset[0]
    latents = plan.objective.first_stage.encode(batch["image"])
    noise = Draws(0, 0, batch["index"]).normal(Purpose.NOISE, latents.shape[1:])
    pipeline = load(model, "cpu", "float32")
    small = next(plan.objective.conditioning.augment("small", [sample]))
    denoise = pipeline.denoise_fn(prompt=sample["prompt"], small=small)
    atelier, defaults = pipeline.atelier, pipeline.defaults
    schedule = defaults.schedule.resolve(atelier.schedules).bind(atelier.schedules)
    sampler = defaults.sampler.resolve(atelier.samplers).bind(atelier.samplers)
    sigmas = last_steps(schedule(4, pipeline.process), 0.5)
    x = pipeline.process.noised(latents, noise, sigmas[0])
    *_, last = sampler(denoise, x, sigmas)
    expected = pipeline.first_stage.decode(last.x)
    torch.testing.assert_close(redraw(plan, batch, 2).images, expected, atol=1e-5, rtol=1e-5)


def test_what_is_dropped_is_not_known(make_plan):
    plan = make_plan()
    batch = batch_of(plan)
    rows = torch.tensor([True, False, True, False])
    kept = {**plan.objective.conditioning.keep_all(4), "small": rows}
    known = redraw(plan, batch, 0, kept).known
    assert known.shape == (4, 4, 16, 16)
    assert known.flatten(1).any(dim=1).tolist() == rows.tolist()


def test_every_number_of_steps_occurs_as_often(make_plan, monkeypatch):
    plan = make_plan()
    objective, seen = plan.objective, []
    redraw_batch = type(objective).redraw

    def record(self, batch, kept, draws, steps):
        seen.append(steps)
        return redraw_batch(self, batch, kept, draws, 0)

    monkeypatch.setattr(type(objective), "redraw", record)
    batch = batch_of(plan, 1)
    for step in range(300):
        objective(batch, step)
    assert set(seen) == {0, 1, 2}  # of four steps, with a strength of 0.5
    assert min(seen.count(steps) for steps in (0, 1, 2)) > 75


def test_only_the_conditional_decoder_learns(make_plan):
    plan = make_plan()
    objective = plan.objective
    before = {name: each.clone() for name, each in objective.state_dict().items()}
    optimizer = torch.optim.Adam(objective.trained.parameters(), lr=0.01)
    objective(batch_of(plan), 0)["loss"].backward()
    optimizer.step()
    trained = [name for name, each in objective.named_parameters() if each.requires_grad]
    assert trained
    assert all(name.startswith("trained.") for name in trained)
    changed = [n for n, each in objective.state_dict().items() if not torch.equal(each, before[n])]
    assert changed
    assert all(name.startswith("trained.") for name in changed)


def test_pictures_come_nearer_to_the_true_ones(make_plan):
    plan = make_plan(strength=0.0, steps=4)
    objective, evaluator = plan.objective, plan.evaluator
    with torch.no_grad():
        before = evaluator.validate()
    assert before["psnr"] == pytest.approx(before["psnr_without"], abs=1.5)
    optimizer = torch.optim.Adam(objective.trained.parameters(), lr=0.01)
    batch = batch_of(plan, 16)
    for step in range(60):
        optimizer.zero_grad()
        objective(batch, step)["loss"].backward()
        optimizer.step()
    with torch.no_grad():
        after = evaluator.validate()
    assert after["psnr"] > before["psnr"] + 3  # of noise, of which the small picture knows half
    assert after["psnr_without"] == before["psnr_without"]
    assert after["absolute"] < before["absolute"]


def test_the_result_is_the_model_with_its_conditional_decoder(configure, model):
    config = configure()
    assert train_conditional_decoder(config).finished
    found, base = (load(each, "cpu", "float32") for each in (config.out / "result", model))
    assert found.first_stage.config.known_inputs == ("small",)
    others = base.first_stage.state_dict()
    own = found.first_stage.state_dict()
    assert all(torch.equal(own[name], each) for name, each in others.items())
    assert found.denoiser_component.weights_sha256 == base.denoiser_component.weights_sha256
    request = {"prompt": "a red cat", "seed": 1, "steps": 2}
    one, other = found.generate(**request)[0], base.generate(**request)[0]
    assert (np.asarray(one.image) != np.asarray(other.image)).any()
    assert (config.out / "sheets" / "step-00000002.png").exists()
    events = [json.loads(line) for line in (config.out / "log.jsonl").read_text().splitlines()]
    assert any("psnr_without" in str(each) for each in events)


def test_the_other_weights_keep_their_precision_and_hashes(configure, model, tmp_path, built_ins):
    half = load(model, "cpu", "float32", atelier=built_ins).converted("float16")
    half.save(tmp_path / "half")
    base = load(tmp_path / "half", "cpu", "float32", atelier=built_ins)
    config = configure(model=str(tmp_path / "half"))
    train_conditional_decoder(config)
    found = load(config.out / "result", "cpu", "float32", atelier=built_ins)
    for place, component in base.components().items():
        own = found.components()[place]
        assert (own.weights_sha256 == component.weights_sha256) == (place != "first_stage")
        assert {each.dtype for each in own.stored.parameters()} <= {torch.float16}


def test_one_that_a_model_has_is_trained_on(configure, make_plan, tmp_path):
    config = configure()
    train_conditional_decoder(config)
    result = str(config.out / "result")
    stored = load(result, "cpu", "float32").first_stage.conditional_decoder.state_dict()
    second = configure(model=result, conditional_decoder=None, out=tmp_path / "second")
    own = plan_conditional_decoder(second, default_atelier()).objective.trained.state_dict()
    assert all(torch.equal(own[name], each) for name, each in stored.items())
    train_conditional_decoder(second)
    trained = load(second.out / "result", "cpu", "float32").first_stage.conditional_decoder
    changed = trained.state_dict()
    assert not all(torch.equal(changed[name], each) for name, each in stored.items())
    fresh = make_plan(model=result, out=tmp_path / "third").objective.trained.state_dict()
    assert not all(torch.equal(fresh[name], each) for name, each in stored.items())


def test_a_run_that_was_stopped_goes_on_with_the_same_numbers(configure, tmp_path):
    whole, parts = configure(steps=4), configure(steps=4, out=tmp_path / "parts")
    train_conditional_decoder(whole)
    train_conditional_decoder(parts.model_copy(update={"steps": 2}))
    train_conditional_decoder(parts, resume="auto")
    one, other = (
        load(each.out / "result", "cpu", "float32").first_stage.state_dict()
        for each in (whole, parts)
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


class TestFaults:
    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"terms": {}}, "terms: give at least one"),
            ({"data": {"cache": "folder"}}, "data.cache holds latents"),
            ({"strength": 1.5}, "strength"),
            ({"drop_all": 0.5, "keep_one": 0.6}, "a sum of at most 1, got 1.1"),
            ({"conditional_decoder": {"inputs": []}}, "conditional_decoder.inputs"),
            ({"conditional_decoder": {"inputs": ["a", "a"]}}, "expected each name once"),
        ],
    )
    def test_a_configuration_that_cannot_be_is_refused(self, configure, changes, says):
        with pytest.raises(InvalidConfigError, match=says):
            configure(**changes)

    def test_a_model_without_one_needs_a_configuration(self, make_plan):
        with pytest.raises(InvalidConfigError, match=r"conditional_decoder: .* has none"):
            make_plan(conditional_decoder=None)

    @pytest.mark.parametrize("name", ["collage", "text"])
    def test_conditioners_that_know_no_pixels_are_refused(self, make_plan, name):
        expected = f"conditional_decoder.inputs: .* which are small in this model, got '{name}'"
        with pytest.raises(CompatibilityError, match=expected):
            make_plan(conditional_decoder={"inputs": [name]})

    def test_pixels_that_training_does_not_provide_are_refused(self, make_plan):
        expected = r"conditional_decoder.inputs: .* no input for 'small'; expected one of small"
        with pytest.raises(InvalidConfigError, match=expected):
            make_plan(inputs={"prompt": {"source": "prompt"}})

    def test_pictures_that_cannot_be_encoded_are_refused(self, make_plan):
        with pytest.raises(InvalidInputError, match="31"):
            make_plan(data={"config": {"size": 31}}, inputs={"small": SOURCES["small"]})

    def test_an_input_that_the_model_lacks_is_refused(self, make_plan):
        with pytest.raises(UnknownNameError, match=r"inputs: .* no input 'map'"):
            make_plan(inputs={"map": {"source": "semantic_map"}})

    def test_a_field_that_the_data_lack_is_refused(self, make_plan):
        with pytest.raises(InvalidConfigError, match="no field 'picture'"):
            make_plan(inputs={**SOURCES, "small": {"source": "picture"}})

    def test_another_first_stage_is_refused(self, make_plan, model, tmp_path, built_ins):
        pipeline = load(model, "cpu", "float32", atelier=built_ins)
        tiny = {
            "encoder_block_out_channels": (8, 8),
            "decoder_block_out_channels": (8, 8),
            "num_encoder_blocks": (1, 1),
            "num_decoder_blocks": (1, 1),
        }
        component = new_component("first_stage", "tiny", tiny, built_ins)
        replace(pipeline, first_stage_component=component).save(tmp_path / "other")
        with pytest.raises(CompatibilityError, match="expected autoencoder_kl or autoencoder_vq"):
            make_plan(model=str(tmp_path / "other"))

    def test_a_sampler_that_draws_noise_is_refused(self, make_plan, model, tmp_path):
        pipeline = load(model, "cpu")
        noisy = {**pipeline.defaults.model_dump(), "sampler": "dpmpp_sde"}
        replace(pipeline, defaults=Defaults.model_validate(noisy)).save(tmp_path / "noisy")
        with pytest.raises(InvalidConfigError, match="model: its sampler 'dpmpp_sde' draws noise"):
            make_plan(model=str(tmp_path / "noisy"))
