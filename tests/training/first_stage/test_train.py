import json
from pathlib import Path
from typing import Any

import pytest
import torch

from latelier import default_atelier
from latelier.checkpoints.component import load_component
from latelier.contracts.errors import InvalidConfigError, LatelierError, UnknownNameError
from latelier.training.checkpoints.checkpoint import list_checkpoints, load_checkpoint
from latelier.training.configs.first_stage import FirstStageTraining
from latelier.training.configs.training import read_training
from latelier.training.data.datasets import make_held_out_samples
from latelier.training.first_stage.train import (
    make_autoencoder,
    plan_first_stage,
    train_first_stage,
)

SHAPE = {"ch": 8, "ch_mult": [1, 2], "num_res_blocks": 1, "num_groups": 4}
KL = {"id": "autoencoder_kl", "config": SHAPE}
VQ = {"id": "autoencoder_vq", "config": {**SHAPE, "n_embed": 32}}
TINY: dict[str, Any] = {
    "steps": 4,
    "batch_size": 2,
    "accelerator": "cpu",
    "checkpoint_seconds": 1000,
    "sheet_every": 100,
    "validate_every": 100,
    "log_every": 1,
    "measured_images": 4,
    "validation_images": 2,
    "first_stage": KL,
    "data": {"config": {"size": 16}},
    "schedule": {"kind": "wsd", "warmup": 1},
}
ALL = {
    "perceptual": {"network": "detector"},
    "adversarial": {"start": 2, "discriminator": {"layers": 1, "channels": 4}},
    "equivariance": {"factors": [2]},
    "decoder_only": {"start": 3},
}


def training(out: Path, **changes: Any) -> FirstStageTraining:
    return FirstStageTraining.model_validate({**TINY, "out": out, **changes})


def held_out(config: FirstStageTraining, count: int) -> torch.Tensor:
    samples = make_held_out_samples(config, count)
    return torch.stack([samples[k]["image"] for k in range(count)])


@pytest.fixture(scope="module")
def complete(tmp_path_factory) -> FirstStageTraining:
    """A run with every loss."""
    config = training(tmp_path_factory.mktemp("complete"), **ALL, whiten=True)
    assert train_first_stage(config).finished
    return config


def test_a_run_with_every_loss_logs_each_term(complete):
    lines = [json.loads(line) for line in (complete.out / "log.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "loss" in line]
    assert all("perceptual" in line and "discriminator_loss" in line for line in steps)
    assert ["adversarial" in line for line in steps] == [False, False, True, True]
    assert ["equivariance" in line for line in steps] == [False, True, False, False]
    report = json.loads((complete.out / "report.json").read_text())
    assert report["whitened"] is True
    (logged,) = (line for line in lines if line.get("event") == "report")
    assert report.items() <= logged.items()
    assert set(report["quality"]) == {"absolute", "psnr", "ssim", "perceptual"}


def test_a_whitened_result_has_uncorrelated_latents(complete):
    module = load_component(complete.out / "result", "first_stage", default_atelier()).module
    latents = module.encode(held_out(complete, 4)).double().movedim(1, 0).flatten(1)
    identity = torch.eye(4, dtype=torch.float64)
    torch.testing.assert_close(torch.cov(latents, correction=0), identity, atol=1e-3, rtol=0)
    assert module.config.scale_factor == 1


def test_an_interrupted_run_with_every_loss_resumes_to_the_same_bits(complete, tmp_path):
    config = complete.model_copy(update={"out": tmp_path / "stopped", "checkpoint_seconds": 1e-9})
    plan = plan_first_stage(config, default_atelier())
    read = plan.dataset.__getitem__

    class Failing(type(plan.dataset)):  # type: ignore[misc]
        def __getitem__(self, position):
            if position == 7:
                raise RuntimeError("power cut")
            return read(position)

    plan.dataset.__class__ = Failing
    from latelier.training.loop.loop import run_training

    with pytest.raises(RuntimeError, match="power cut"):
        run_training(plan, False, default_atelier())
    assert train_first_stage(config, resume=True).finished
    one, other = (
        load_checkpoint(list_checkpoints(each.out / "checkpoints")[-1])
        for each in (complete, config)
    )
    for group in ("weights", "optimizer"):
        left, right = getattr(one, group), getattr(other, group)
        assert left.keys() == right.keys()
        assert not [name for name in left if not torch.equal(left[name], right[name])]
    assert any("discriminator" in name for name in one.weights)


def test_a_quantized_first_stage_reports_its_codes(tmp_path):
    config = training(tmp_path / "vq", first_stage=VQ)
    result = train_first_stage(config).result
    report = json.loads((config.out / "report.json").read_text())
    assert report["codebook"]["codes"] == 32
    assert 1 <= report["codebook"]["perplexity"] <= 32
    module = load_component(result, "first_stage", default_atelier()).module
    latents = module.encode(held_out(config, 4))
    assert latents.std(correction=0).item() == pytest.approx(1, abs=1e-3)
    assert module.config.scale_factor == pytest.approx(report["scale_factor"])


def psnr_of_start(config):
    evaluator = plan_first_stage(config, default_atelier()).evaluator
    evaluator.objective.eval()
    with torch.no_grad():
        return evaluator.validate()["psnr"]


@pytest.mark.parametrize("use_quant_conv", [True, False])
def test_the_posterior_begins_narrow(tmp_path, use_quant_conv):
    shape = {**SHAPE, "use_quant_conv": use_quant_conv}
    config = training(tmp_path, first_stage={"id": "autoencoder_kl", "config": shape})
    autoencoder = make_autoencoder(config, default_atelier()).module.eval()
    _, logvar = autoencoder.posterior(torch.zeros(1, 3, 8, 8))
    assert logvar.mean().item() == pytest.approx(-6, abs=0.5)


def test_a_run_can_start_from_a_trained_first_stage(complete, tmp_path):
    folder = complete.out / "result"
    config = training(tmp_path, first_stage=None, start_from=str(folder))
    module = plan_first_stage(config, default_atelier()).objective.trained
    source = load_component(folder, "first_stage", default_atelier()).module
    assert module.config == source.config
    assert all(
        torch.equal(tensor, module.state_dict()[name])
        for name, tensor in source.state_dict().items()
    )
    assert all(p.requires_grad for p in module.parameters())
    assert train_first_stage(config).finished


def test_a_kept_encoder_cannot_be_configured_otherwise(complete, tmp_path):
    folder = complete.out / "result"
    source = load_component(folder, "first_stage", default_atelier())
    choice = {"id": source.id, "config": {**source.config.model_dump(), "num_groups": None}}
    changes = {"start_from": str(folder), "first_stage": choice}
    changed = make_autoencoder(training(tmp_path, **changes), default_atelier())
    assert changed.config.num_groups is None
    config = training(tmp_path, **changes, decoder_only={"start": 0})
    with pytest.raises(InvalidConfigError, match=r"keeps the latents of .* leave first_stage out"):
        make_autoencoder(config, default_atelier())


def test_a_run_can_start_from_the_first_stage_of_a_model(tmp_path):
    config = training(
        tmp_path, first_stage=None, start_from="emoji-scenes", data={"config": {"size": 64}}
    )
    assert psnr_of_start(config) > 26


def test_a_decoder_alone_keeps_the_latents_of_its_start(complete, tmp_path):
    folder = complete.out / "result"
    config = training(
        tmp_path, first_stage=None, start_from=str(folder), decoder_only={"start": 0}, kl_weight=0.1
    )
    result = train_first_stage(config).result
    before, after = (
        load_component(each, "first_stage", default_atelier()).module for each in (folder, result)
    )
    images = held_out(config, 2)
    latents = before.encode(images)
    assert torch.equal(after.encode(images), latents)
    assert not torch.equal(after.decode(latents), before.decode(latents))


def test_training_raises_the_psnr(tmp_path):
    config = training(
        tmp_path,
        steps=200,
        batch_size=4,
        optimizer={"lr": 3e-3},
        schedule={"kind": "wsd", "warmup": 20},
        log_every=200,
        validate_every=200,
        terms={"absolute": 1.0, "squared": 1.0},
        adversarial={"start": 0.75, "discriminator": {"layers": 1, "channels": 8}},
    )
    before = psnr_of_start(config)
    train_first_stage(config)
    after = json.loads((config.out / "report.json").read_text())["quality"]["psnr"]
    assert after > before + 2


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"first_stage": None}, InvalidConfigError, "first_stage or start_from is missing"),
        ({"adversarial": {"start": 4}}, InvalidConfigError, r"start 4 is beyond .* 4 steps"),
        ({"terms": {"absolute": 0}}, InvalidConfigError, "at least one of them"),
        ({"terms": {"absolute": -1}}, InvalidConfigError, "greater than or equal to 0"),
        ({"terms": {"absolute": float("inf")}}, InvalidConfigError, "less than or equal"),
        ({"codebook_start": 9}, InvalidConfigError, "codebook_start 9 is beyond"),
        (
            {"codebook_start": 0.5, "start_from": "emoji-scenes"},
            InvalidConfigError,
            "the codes of start_from are trained",
        ),
        ({"decoder_only": {"start": 50001}}, InvalidConfigError, r"decoder_only\.start 50001"),
        (
            {"start_from": "emoji-scenes", "decoder_only": {"start": 0}, "whiten": True},
            InvalidConfigError,
            "leave whiten out, or begin decoder_only later",
        ),
        ({"perceptual": {"network": "vgg", "weights": "x"}}, InvalidConfigError, "network"),
        ({"equivariance": {"factors": [3]}}, InvalidConfigError, "2 or 4"),
        ({"data": {"path": "x", "cache": "y"}}, InvalidConfigError, "trained on pictures"),
    ],
)
def test_an_invalid_configuration_is_an_error(tmp_path, changes, error, words):
    values = {**TINY, "out": str(tmp_path / "wrong"), **changes}
    file = tmp_path / "first-stage.yaml"
    file.write_text(json.dumps(values))
    with pytest.raises(error, match=words):
        read_training(file, FirstStageTraining)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"adversarial": {}}, InvalidConfigError, "70 pixels, but the images are 16 x 16"),
        ({"equivariance": {}, "data": {"config": {"size": 20}}}, InvalidConfigError, "4 does not"),
        ({"first_stage": VQ, "kl_weight": 1e-6}, InvalidConfigError, "kl_weight"),
        ({"first_stage": {"id": "identity"}}, LatelierError, "autoencoder_kl"),
        ({"start_from": "emoji-scenes"}, InvalidConfigError, "does not fit the configuration"),
        ({"start_from": "no-such-model"}, UnknownNameError, "no-such-model"),
        ({"perceptual": {"network": "lpips", "weights": "no.pth"}}, LatelierError, "not found"),
    ],
)
def test_an_impossible_training_is_an_error_before_anything_is_written(
    tmp_path, changes, error, words
):
    with pytest.raises(error, match=words):
        train_first_stage(training(tmp_path / "wrong", **changes))
    assert not (tmp_path / "wrong").exists()
