import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image

from latelier import load
from latelier.contracts.errors import InvalidConfigError, InvalidInputError
from latelier.contracts.frozen import validate
from latelier.training.checkpoints.checkpoint import list_checkpoints, load_checkpoint
from latelier.training.configs.denoiser import DenoiserTraining
from latelier.training.denoiser.train import plan_denoiser, train_denoiser
from latelier.training.randomness import Draws, Purpose

FAST = {
    "steps": 2,
    "batch_size": 4,
    "accelerator": "cpu",
    "data": {"config": {"size": 16}},
    "validation": {"samples": 8, "levels": [0.2, 0.8]},
    "defaults": {"steps": 1},
}


@pytest.fixture
def pipeline(compose_tiny, tiny_changes):
    """A tiny pipeline whose text is long enough for the captions of scenes."""
    conditioners = tiny_changes()["conditioners"]
    conditioners["text"] = ("text", {"width": 16, "layers": 1, "heads": 2, "max_length": 128})
    card = {"licence": "MIT", "measured": "much"}
    return replace(compose_tiny(conditioners=conditioners), card=card, description="old")


@pytest.fixture
def configure(pipeline, tmp_path):
    pipeline.save(tmp_path / "model")

    def configure_it(**changes):
        values = {**FAST, "out": tmp_path / "out", "start_from": str(tmp_path / "model"), **changes}
        return validate(DenoiserTraining, values, "training")

    return configure_it


@pytest.fixture
def make_plan(configure, built_ins):
    return lambda **changes: plan_denoiser(configure(**changes), built_ins)


@pytest.fixture
def make_objective(make_plan):
    def make(**changes):
        plan = make_plan(**changes)
        batch = plan.objective.collate([plan.dataset[k] for k in range(4)])
        return plan.objective, batch

    return make


@pytest.fixture
def make_plan_of(compose_tiny, tiny_changes, built_ins, tmp_path):
    """Make the plan of fine-tuning a tiny pipeline with other parts."""

    def make(denoiser, conditioners, inputs):
        _, config = tiny_changes()["denoiser"]
        parts: dict[str, Any] = {"denoiser": ("unet", {**config, "vectors": {}, **denoiser})}
        parts["defaults"] = {"size": 16, "steps": 1}
        pipeline = compose_tiny(**parts, conditioners=conditioners, inputs=inputs)
        pipeline.save(tmp_path / "model")
        values = {**FAST, "out": tmp_path / "out", "start_from": str(tmp_path / "model")}
        return plan_denoiser(validate(DenoiserTraining, values, "training"), built_ins)

    return make


def test_a_fine_tuned_model_keeps_its_inputs_and_licence(configure, pipeline):
    config = configure()
    train_denoiser(config)
    result = load(str(config.out / "result"))
    assert result.inputs == pipeline.inputs
    assert (result.description, result.card) == ("old", {"licence": "MIT"})
    assert result.defaults.guidance == pipeline.defaults.guidance
    assert result.defaults.steps == 1
    assert result.generate(prompt="a cat", seed=0)[0].image.size == (16, 16)


def test_a_frozen_conditioner_stays_as_it_is(configure, pipeline):
    config = configure(conditioners={"text": {"frozen": True}}, optimizer={"lr": 0.1}, drop_all=0.5)
    train_denoiser(config)
    names = load_checkpoint(list_checkpoints(config.out / "checkpoints")[-1]).weights
    assert not any(name.startswith("conditioners.text.") for name in names)
    result = load(str(config.out / "result"))
    before, after = (
        pipeline.conditioners["text"].state_dict(),
        result.conditioners["text"].state_dict(),
    )
    assert all(torch.equal(before[name], after[name]) for name in before)
    denoiser = pipeline.denoiser.state_dict()
    assert any(not torch.equal(denoiser[n], t) for n, t in result.denoiser.state_dict().items())


def test_validation_does_not_depend_on_how_training_draws(make_plan):
    found = []
    for changes in (
        {},
        {"noise": {"kind": "logit_normal", "mean": -3}, "seed": 5, "drop_all": 0.9},
        {"loss": {"weight": {"kind": "min_snr"}, "uncertainty": {}}, "batch_size": 3},
    ):
        with torch.no_grad():
            found.append(make_plan(**changes).evaluator.validate())
    assert list(found[0]) == ["x0_error", "x0_error_0.2", "x0_error_0.8"]
    assert found[1] == pytest.approx(found[0], rel=1e-5)
    assert found[2] == pytest.approx(found[0], rel=1e-5)
    assert found[0]["x0_error_0.2"] < found[0]["x0_error_0.8"]


def test_the_loss_is_weighted_by_noise_level(make_objective):
    plain, batch = make_objective()
    weighted, _ = make_objective(loss={"weight": {"kind": "min_snr", "gamma": 5}})
    with torch.no_grad():
        before, after = plain.compute_losses(batch, 0), weighted.compute_losses(batch, 0)
    snr = ((1 - before.levels) / before.levels) ** 2
    expected = before.weighted * (snr.clamp(max=5) * before.levels**2).float()
    torch.testing.assert_close(after.weighted, expected)


@pytest.mark.parametrize(
    ("process", "changes"),
    [
        ({"kind": "vp"}, {"loss": {"weight": {"kind": "min_snr"}}}),
        ({"kind": "vp", "prediction": "v", "zero_terminal_snr": True}, {}),
        ({"kind": "vp", "prediction": "v"}, {"noise": {"kind": "uniform"}}),
        ({"kind": "edm", "sigma_data": 1.0}, {"loss": {"uncertainty": {}}}),
        (
            {"kind": "rectified_flow", "prediction": "x0"},
            {"loss": {"weight": {"kind": "velocity"}}},
        ),
    ],
    ids=["eps", "zero-snr", "uniform", "edm", "velocity"],
)
def test_every_process_trains_and_is_measured(make_plan, process, changes):
    plan = make_plan(process=process, **changes)
    objective = plan.objective
    batch = objective.collate([plan.dataset[k] for k in range(4)])
    for step in range(3):
        terms = objective(batch, step)
        assert terms["loss"].isfinite()
        found = [value for name, value in terms.items() if name.startswith("loss_")]
        assert len(found) == 5
        assert any(value.isfinite() for value in found)
    terms["loss"].backward()
    grads = [p.grad for p in objective.denoiser.parameters() if p.grad is not None]
    assert grads
    assert all(grad.isfinite().all() for grad in grads)
    with torch.no_grad():
        assert all(0 < value < float("inf") for value in plan.evaluator.validate().values())


def test_a_sample_s_weight_scales_its_loss(make_objective):
    objective, batch = make_objective()
    weight = torch.tensor([1.0, 0.0, 2.0, 1.0])
    with torch.no_grad():
        plain = objective.compute_losses(batch, 0).minimized
        scaled = objective.compute_losses({**batch, "weight": weight}, 0).minimized
    torch.testing.assert_close(scaled, plain * weight)


def test_latents_of_a_cache_give_the_loss_of_the_pictures(make_objective):
    objective, batch = make_objective()
    with torch.no_grad():
        latents = objective.first_stage.encode(batch["image"])
        cached = {**batch, "latents": latents}
        del cached["image"]
        assert objective.make_geometry(cached) == objective.make_geometry(batch)
        losses = [objective.compute_losses(each, 0).minimized for each in (batch, cached)]
    torch.testing.assert_close(*losses)


def test_an_uncertainty_is_trained_and_not_exported(configure):
    config = configure(loss={"uncertainty": {"channels": 8}}, optimizer={"lr": 0.01})
    train_denoiser(config)
    weights = load_checkpoint(list_checkpoints(config.out / "checkpoints")[-1]).weights
    assert weights["uncertainty.weight"].any()
    names = [path.name for path in (config.out / "result").iterdir()]
    assert not any("uncertainty" in name for name in names)


def test_the_start_of_a_run_explains_the_noise_and_the_conditions(make_plan):
    plan = make_plan(
        conditioners={"text": {"frozen": True, "drop": 0.25}}, drop_all=0.1, keep_one=0.05
    )
    text = "\n".join(plan.notes)
    # 0.6 uniform and 0.4 logit-normal(1.2, 1)
    assert "0-0.2: 12.1%, 0.2-0.4: 14.0%" in text
    assert "condition 'text': from 'prompt', dropped 25%" in text
    assert "condition 'label': always null" in text
    assert "all conditions dropped 10%, all but one 5%" in text
    assert "frozen conditioners: text" in text


def test_noise_levels_of_a_step_are_those_of_the_density(make_objective):
    objective, batch = make_objective(noise={"kind": "uniform"})
    with torch.no_grad():
        levels = objective.compute_losses(batch, 3).levels
    turn = Draws(0, 3, [0]).uniform(Purpose.TIME)
    golden = (5**0.5 - 1) / 2
    expected = (torch.arange(4).double() * golden + turn) % 1
    torch.testing.assert_close(levels, 0.001 + 0.999 * expected)


def test_a_sample_that_a_conditioner_refuses_is_replaced_and_reported(
    configure, pipeline, built_ins
):
    text = pipeline.conditioners["text"]
    config = configure(conditioners={"text": {"drop": 0}}, steps=10)
    plan = plan_denoiser(config, built_ins)
    config.out.mkdir()
    lengths = [len(plan.dataset.describe(k)["prompt"]) for k in range(40)]
    limit = sorted(lengths)[20]

    def prepare(inputs, geometry):
        if any(len(value.text) > limit for value in inputs):
            raise InvalidInputError("a text is too long")
        return type(text).prepare(plan.objective.conditioners["text"], inputs, geometry)

    plan.objective.conditioners["text"].prepare = prepare
    samples = [plan.dataset[k] for k in range(40)]
    assert max(len(sample["prompt"]) for sample in samples) <= limit
    assert [sample["index"] for sample in samples] == list(range(40))
    report = (config.out / "data-report.jsonl").read_text()
    assert report.count("a text is too long") >= 15
    assert max(len(sample["prompt"]) for sample in plan.evaluator.list_held_out(8)) <= limit


def test_an_inpainting_model_sees_the_pictures_under_drawn_masks(make_plan_of):
    denoiser = {"streams": {}, "context_dim": None, "spatial": {"hole": 5}}
    plan = make_plan_of(denoiser, {"hole": ("mask", {"latent_channels": 4})}, {})
    assert plan.objective.conditioning.sources["hole"].source == "image"
    with torch.no_grad():
        sheet, _ = plan.evaluator.draw_sample_sheet()
    assert sheet.size == (8 * (32 + 4) + 4, 32 + 2 * 4)


def test_an_unconditional_model_draws_a_sheet(make_plan_of):
    denoiser = {"streams": {}, "context_dim": None}
    plan = make_plan_of(denoiser, {}, {})
    with torch.no_grad():
        sheet, _ = plan.evaluator.draw_sample_sheet()
    assert sheet.size == (8 * (32 + 4) + 4, 32 + 2 * 4)


def test_held_out_pictures_are_encoded_once(make_plan):
    plan = make_plan()
    first_stage, calls = plan.objective.first_stage, []
    encode = first_stage.encode
    first_stage.encode = lambda images: calls.append(len(images)) or encode(images)
    with torch.no_grad():
        assert plan.evaluator.validate() == plan.evaluator.validate()
    assert calls == [4, 4]


@pytest.fixture
def masked(tmp_path):
    """A manifest of pictures whose masks are white on the right."""
    mask = Image.new("L", (16, 16))
    mask.paste(255, (8, 0, 16, 16))
    mask.save(tmp_path / "mask.png")
    lines = []
    for number in range(12):
        Image.linear_gradient("L").rotate(30 * number).resize((16, 16)).save(
            tmp_path / f"{number}.png"
        )
        record = {"file": f"{number}.png", "mask": "mask.png", "captions": ["a dog"]}
        lines.append(json.dumps(record))
    (tmp_path / "manifest.jsonl").write_text("\n".join(lines))
    return tmp_path / "manifest.jsonl"


def test_masks_weigh_the_pixels_of_the_error(make_plan, masked):
    losses = []
    for weight in (None, 0.0, 0.25):
        data = {"path": str(masked), "size": 16}
        plan = make_plan(data=data, loss={"unmasked_weight": weight})
        batch = plan.objective.collate([plan.dataset[k] for k in range(4)])
        with torch.no_grad():
            losses.append(plan.objective.compute_losses(batch, 0).minimized)
    everything, inside, between = losses
    assert (inside < 0.95 * everything).all()
    torch.testing.assert_close(between, inside + 0.25 * (everything - inside))


def test_data_without_the_masks_that_weigh_the_error_are_an_error(make_plan):
    with pytest.raises(InvalidConfigError, match="no field 'mask'"):
        make_plan(loss={"unmasked_weight": 0.1})
