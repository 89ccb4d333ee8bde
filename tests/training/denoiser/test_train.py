import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from PIL import Image

from latelier import default_atelier, load
from latelier.checkpoints.component import load_component, new_component, save_component
from latelier.contracts.condition import Condition
from latelier.contracts.errors import (
    CompatibilityError,
    InvalidConfigError,
    LatelierError,
    UnknownNameError,
)
from latelier.denoisers.configs import UNetConfig
from latelier.io.atomic import write_bytes
from latelier.training import conditioning
from latelier.training.checkpoints.checkpoint import list_checkpoints, load_checkpoint
from latelier.training.conditioning import fit_conditioners
from latelier.training.configs.denoiser import DenoiserTraining
from latelier.training.data.datasets import TrainingSamples, make_training_samples
from latelier.training.denoiser.evaluator import DenoiserEvaluator
from latelier.training.denoiser.parts import resolve_parts
from latelier.training.denoiser.train import train_denoiser
from latelier.training.prediction.objective import PredictionObjective
from latelier.training.randomness import Draws

TINY = {
    "steps": 4,
    "batch_size": 3,
    "accelerator": "cpu",
    "checkpoint_seconds": 1000,
    "sheet_every": 100,
    "log_every": 2,
    "fit_samples": 300,
    "validation": {"samples": 64, "levels": [0.5]},
    "data": {"config": {"size": 16}},
    "optimizer": {"lr": 0.001},
    "schedule": {"kind": "cosine", "warmup": 2},
    "denoiser": {
        "id": "unet",
        "config": {
            "in_channels": 4,
            "out_channels": 4,
            "model_channels": 8,
            "channel_mult": [1, 2],
            "num_res_blocks": 1,
            "attention_resolutions": [2],
            "num_heads": 2,
            "num_groups": 4,
            "context_dim": 8,
            "streams": {"text": {"width": 8, "injection": "native"}},
            "vectors": {"class_label": 8},
        },
    },
    "conditioners": {
        "text": {
            "id": "text",
            "source": "prompt",
            "config": {"width": 8, "layers": 1, "heads": 2, "vocab_size": 400},
        },
        "class_label": {
            "id": "class_label",
            "source": "class_label",
            "config": {"num_classes": 512, "width": 8, "slot": "vector"},
        },
    },
    "process": {"kind": "rectified_flow"},
    "defaults": {"steps": 2},
}


@pytest.fixture(scope="module")
def tiny_first_stage(tmp_path_factory) -> Path:
    config = {"ch": 8, "ch_mult": [1, 2], "num_res_blocks": 1, "num_groups": 4}
    component = new_component("first_stage", "autoencoder_kl", config, default_atelier())
    folder = tmp_path_factory.mktemp("first-stage")
    save_component(folder, component)
    return folder


def tiny_denoiser_training(
    out: Path, first_stage: Path | str | None, **changes: object
) -> DenoiserTraining:
    values = {**TINY, "out": out, "first_stage": first_stage and str(first_stage), **changes}
    return DenoiserTraining.model_validate(values)


def evaluator_of(config: DenoiserTraining) -> DenoiserEvaluator:
    parts = resolve_parts(config, make_training_samples(config), default_atelier())
    parts.conditioners["text"].module.fit(
        ["a red apple on a blue background", "a green pear in a yellow meadow"] * 40
    )
    return DenoiserEvaluator(PredictionObjective(parts, config), parts, default_atelier())


def objective_of(config: DenoiserTraining) -> PredictionObjective:
    return evaluator_of(config).objective


def condition_of(objective: PredictionObjective, batch: dict[str, Any], draws: Draws) -> Condition:
    geometry = objective.make_geometry(batch)
    kept = objective.conditioning.draw_kept(draws)
    return objective.conditioning.encode(batch, kept, geometry, torch.device("cpu"))


def with_drops(text: float, class_label: float) -> dict[str, object]:
    specs = json.loads(json.dumps(TINY["conditioners"]))
    specs["text"]["drop"], specs["class_label"]["drop"] = text, class_label
    specs["text"]["config"] |= {"vocab_size": 320, "max_length": 96}
    return {"conditioners": specs}


@pytest.fixture(scope="module")
def straight_denoiser(tmp_path_factory, tiny_first_stage) -> DenoiserTraining:
    config = tiny_denoiser_training(tmp_path_factory.mktemp("straight"), tiny_first_stage)
    assert train_denoiser(config).finished
    return config


def test_the_result_is_a_pipeline_that_makes_pictures(straight_denoiser):
    pipe = load(str(straight_denoiser.out / "result"))
    pictures = pipe.generate(prompt="a cat", class_label=3, seed=1)
    assert pictures[0].image.size == (16, 16)
    assert set(pipe.inputs) == {"prompt", "class_label"}
    assert (straight_denoiser.out / "sheets" / "step-00000004.png").exists()


def test_a_run_records_the_first_stage_that_it_uses(straight_denoiser, tiny_first_stage):
    component = load_component(tiny_first_stage, "first_stage", default_atelier())
    recorded = json.loads((straight_denoiser.out / "fixed.json").read_text())
    assert recorded == {"first_stage": component.weights_sha256}


def test_the_log_has_the_loss_of_each_bin_of_noise_levels(straight_denoiser):
    text = (straight_denoiser.out / "log.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    steps = [line for line in lines if "loss" in line]
    names = {name for line in steps for name in line if name.startswith("loss_")}
    assert len(steps) == 2
    assert names <= {f"loss_{bin_}" for bin_ in ("0-0.2", "0.2-0.4", "0.4-0.6", "0.6-0.8", "0.8-1")}
    assert len(names) >= 3  # of 12 samples


def test_the_result_holds_the_average_of_denoiser_and_conditioners(straight_denoiser):
    pipe = load(str(straight_denoiser.out / "result"))
    (*_, last) = list_checkpoints(straight_denoiser.out / "checkpoints")
    ema = load_checkpoint(last).average(0.05)
    modules = {
        "denoiser": pipe.denoiser,
        **{f"conditioners.{n}": c for n, c in pipe.conditioners.items()},
    }
    found = {f"{k}.{name}": t for k, m in modules.items() for name, t in m.state_dict().items()}
    assert found.keys() == ema.keys()
    assert all(torch.equal(found[name], ema[name]) for name in ema)


def test_an_interrupted_denoiser_resumes_to_the_same_bits(
    tmp_path, tiny_first_stage, straight_denoiser, monkeypatch
):
    config = tiny_denoiser_training(tmp_path / "stopped", tiny_first_stage, checkpoint_seconds=1e-9)

    get = TrainingSamples.__getitem__

    def failing(self, position):
        if position == 7 and len(self) == 12:  # the others are held out
            raise RuntimeError("power cut")
        return get(self, position)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingSamples, "__getitem__", failing)
        with pytest.raises(RuntimeError, match="power cut"):
            train_denoiser(config)
    assert train_denoiser(config, resume=True).finished
    ends = [
        load_checkpoint(list_checkpoints(each.out / "checkpoints")[-1])
        for each in (straight_denoiser, config)
    ]
    for name, tensor in ends[0].weights.items():
        assert torch.equal(tensor, ends[1].weights[name]), name


@pytest.mark.parametrize(
    ("drops", "drop_all", "dropped"),
    [
        ((0.0, 0.0), 0.0, set()),
        ((1.0, 0.0), 0.0, {"text"}),
        ((0.0, 1.0), 0.0, {"class_label"}),
        ((0.0, 0.0), 1.0, {"text", "class_label"}),
    ],
)
def test_dropped_rows_hold_the_null_part(tmp_path, tiny_first_stage, drops, drop_all, dropped):
    config = tiny_denoiser_training(
        tmp_path, tiny_first_stage, drop_all=drop_all, **with_drops(*drops)
    )
    evaluator = evaluator_of(config)
    objective = evaluator.objective
    batch = objective.collate(evaluator.list_held_out(3))
    draws = Draws(0, 0, batch["index"])
    condition = condition_of(objective, batch, draws)
    geometry = objective.make_geometry(batch)
    text, label = objective.conditioners["text"], objective.conditioners["class_label"]
    null_text, null_label = text.null(3, geometry).stream, label.null(3, geometry).vector
    is_null = torch.equal(condition.streams["text"].tokens, null_text.tokens)
    assert is_null == ("text" in dropped)
    assert torch.equal(condition.streams["text"].mask, null_text.mask) == ("text" in dropped)
    assert torch.equal(condition.vectors["class_label"], null_label) == ("class_label" in dropped)


def test_sheets_do_not_change_the_training(tmp_path, tiny_first_stage, straight_denoiser):
    config = tiny_denoiser_training(tmp_path, tiny_first_stage, sheet_every=1)
    assert train_denoiser(config).finished
    without, with_sheets = (
        load_checkpoint(list_checkpoints(each.out / "checkpoints")[-1])
        for each in (straight_denoiser, config)
    )
    for name, tensor in without.weights.items():
        assert torch.equal(tensor, with_sheets.weights[name]), name


def test_conditioners_are_dropped_independently_row_by_row(tmp_path, tiny_first_stage):
    config = tiny_denoiser_training(tmp_path, tiny_first_stage, **with_drops(0.5, 0.5))
    evaluator = evaluator_of(config)
    objective = evaluator.objective
    batch = objective.collate(evaluator.list_held_out(64))
    condition = condition_of(objective, batch, Draws(0, 0, batch["index"]))
    text_gone = condition.streams["text"].mask.sum(1) == 1
    null = objective.conditioners["class_label"].null(64, objective.make_geometry(batch)).vector
    class_gone = (condition.vectors["class_label"] == null).all(1)
    both, neither = text_gone & class_gone, ~text_gone & ~class_gone
    one = text_gone ^ class_gone
    assert min(both.sum(), neither.sum(), (one & text_gone).sum(), (one & class_gone).sum()) > 4


def test_the_first_stage_is_not_trained(straight_denoiser, tiny_first_stage):
    pipe = load(str(straight_denoiser.out / "result"))
    before = load_component(tiny_first_stage, "first_stage", default_atelier()).module
    assert all(
        torch.equal(tensor, pipe.first_stage.state_dict()[name])
        for name, tensor in before.state_dict().items()
    )


def test_parts_that_do_not_fit_are_an_error_before_anything_is_written(tmp_path, tiny_first_stage):
    changed = json.loads(json.dumps(TINY["denoiser"]))
    changed["config"]["in_channels"] = 3
    config = tiny_denoiser_training(tmp_path / "out", tiny_first_stage, denoiser=changed)
    with pytest.raises(CompatibilityError, match="latents of 4 channels"):
        train_denoiser(config)
    assert not (tmp_path / "out").exists()


def test_a_name_reserved_by_torch_is_an_error(tmp_path, tiny_first_stage):
    specs = json.loads(json.dumps(TINY["conditioners"]))
    changed = json.loads(json.dumps(TINY["denoiser"]))
    changed["config"]["streams"]["keys"] = changed["config"]["streams"].pop("text")
    specs["keys"] = specs.pop("text")
    config = tiny_denoiser_training(
        tmp_path / "out", tiny_first_stage, conditioners=specs, denoiser=changed
    )
    with pytest.raises(InvalidConfigError, match="cannot be named 'keys'"):
        train_denoiser(config)
    assert not (tmp_path / "out").exists()


def test_an_unknown_process_is_an_error_before_anything_is_written(tmp_path, tiny_first_stage):
    config = tiny_denoiser_training(tmp_path / "out", tiny_first_stage, process={"kind": "heat"})
    with pytest.raises(InvalidConfigError, match="process"):
        train_denoiser(config)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("defaults", "words"),
    [
        ({"sampler": "nope"}, "no sampler 'nope'"),
        ({"stepz": 2}, "no field 'stepz'"),
        ({"steps": 0}, "'steps'"),
        ({"guidance": "nope"}, "nope"),
    ],
)
def test_invalid_defaults_are_an_error_before_anything_is_written(
    tmp_path, tiny_first_stage, defaults, words
):
    config = tiny_denoiser_training(tmp_path / "run", tiny_first_stage, defaults=defaults)
    with pytest.raises(LatelierError, match=words):
        train_denoiser(config)
    assert not (tmp_path / "run").exists()


def test_assets_are_stored_completely_or_not_at_all(tmp_path, monkeypatch):
    """Otherwise a run that was stopped in between would restore a part of them."""

    class Fitted:
        wanted: ClassVar = {"a.txt": b"1", "b.txt": b"2"}

        def fit(self, inputs):
            assert not list(inputs)
            self.kept = self.wanted

        def assets(self):
            return self.kept

        def set_assets(self, assets):
            self.kept = dict(assets)

    def fit_it(is_new=False):
        component, sources = SimpleNamespace(module=Fitted()), {"it": SimpleNamespace(source="")}
        fit_conditioners({"it": component}, sources, [], 1, tmp_path, is_new)
        return component.module.kept

    def failing(path, data):
        if path.name == "b.txt":
            raise RuntimeError("power cut")
        return write_bytes(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(conditioning, "write_bytes", failing)
        with pytest.raises(RuntimeError, match="power cut"):
            fit_it()
    assert fit_it() == Fitted.wanted
    with monkeypatch.context() as patch:
        patch.setattr(Fitted, "fit", lambda *_: pytest.fail("it was fitted again"))
        assert fit_it() == Fitted.wanted
    Fitted.wanted = {"a.txt": b"other data"}  # what a run without a step left is not kept
    assert fit_it(is_new=True) == Fitted.wanted
    assert [path.name for path in (tmp_path / "assets" / "it").iterdir()] == ["a.txt"]


def test_a_missing_first_stage_is_named(tmp_path):
    with pytest.raises(UnknownNameError, match="nowhere"):
        train_denoiser(tiny_denoiser_training(tmp_path / "out", tmp_path / "nowhere"))


def test_a_source_missing_from_the_data_is_an_error(tmp_path, tiny_first_stage):
    specs = json.loads(json.dumps(TINY["conditioners"]))
    specs["text"]["source"] = "caption"
    config = tiny_denoiser_training(tmp_path / "out", tiny_first_stage, conditioners=specs)
    with pytest.raises(InvalidConfigError, match=r"'caption'.*prompt"):
        train_denoiser(config)


def test_training_starts_from_a_model_with_its_first_stage(tmp_path, straight_denoiser):
    model = str(straight_denoiser.out / "result")
    config = tiny_denoiser_training(
        tmp_path / "again", model, start_from=model, optimizer={"lr": 1e-12}, steps=1
    )
    train_denoiser(config)
    before, after = load(model), load(str(config.out / "result"))
    assert after.first_stage_component.weights_sha256 == (
        before.first_stage_component.weights_sha256
    )
    assert after.conditioner_components["text"].assets_sha256 == (
        before.conditioner_components["text"].assets_sha256
    )
    x, t = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0)), torch.ones(1)
    outputs = [
        pipe.denoiser(x, t, pipe.condition_builder().condition({"prompt": ["a cat"]}, 1, None))
        for pipe in (before, after)
    ]
    assert outputs[0].abs().max() > 0
    torch.testing.assert_close(*outputs, rtol=0, atol=1e-6)


def test_a_starting_model_whose_weights_do_not_fit_is_refused(tmp_path, straight_denoiser):
    model = str(straight_denoiser.out / "result")
    specs = json.loads(json.dumps(TINY["conditioners"]))
    specs["text"]["config"]["max_length"] = 16
    config = tiny_denoiser_training(tmp_path / "other", model, start_from=model, conditioners=specs)
    with pytest.raises(InvalidConfigError, match=r"\.text of .* does not fit .* weight"):
        train_denoiser(config)
    config = config.model_copy(update={"conditioners": {"words": config.conditioners["text"]}})
    with pytest.raises(InvalidConfigError, match="has no conditioner 'words'"):
        train_denoiser(config)


def test_a_fine_tuned_model_knows_the_words_of_its_captions(tmp_path, straight_denoiser):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for k in range(4):
        Image.new("RGB", (16, 16), (60 * k, 0, 0)).save(folder / f"{k}.png")
        (folder / f"{k}.txt").write_text("a zeppelin")
    model = str(straight_denoiser.out / "result")
    config = tiny_denoiser_training(
        tmp_path / "out",
        None,
        start_from=model,
        denoiser=None,
        conditioners={"text": {"source": "prompt"}},
        data={"path": folder, "size": 16},
        validation={"samples": 1, "levels": [0.5]},
    )
    train_denoiser(config)
    pipe = load(str(config.out / "result"))
    assert {"zeppelin", "background"} <= set(pipe.conditioners["text"].vocabulary())


def test_augmentation_depends_on_the_seed_and_the_sample(tmp_path, tiny_first_stage, monkeypatch):
    drawn = {}

    def augment(self, value, rng):
        drawn.setdefault(value.text, []).append(rng.random())
        return value

    config = tiny_denoiser_training(tmp_path, tiny_first_stage)
    objective = objective_of(config)
    monkeypatch.setattr(type(objective.conditioners["text"]), "augment", augment)
    samples = [make_training_samples(config)[k] for k in range(3)]
    objective.collate(samples)
    objective.collate(samples[::-1])
    assert all(first == again for first, again in drawn.values())
    assert len({first for first, _ in drawn.values()}) == 3


def test_the_sheet_shows_augmented_inputs(tmp_path, tiny_first_stage, monkeypatch):
    evaluator = evaluator_of(tiny_denoiser_training(tmp_path, tiny_first_stage))
    text = type(evaluator.objective.conditioners["text"])
    monkeypatch.setattr(text, "augment", lambda self, value, rng: text.Input(text="augmented"))
    prepared = []
    prepare = text.prepare

    def record(self, inputs, geometry):
        prepared.append({value.text for value in inputs})
        return prepare(self, inputs, geometry)

    samples = evaluator.list_held_out(24)  # checked, and so prepared, as they are
    monkeypatch.setattr(evaluator, "list_held_out", lambda count: samples[:count])
    monkeypatch.setattr(text, "prepare", record)
    with torch.no_grad():
        evaluator.draw_sample_sheet()
    assert all(texts == {"augmented"} for texts in prepared)
    assert prepared


def test_gradient_checkpointing_changes_no_gradient(tmp_path, tiny_first_stage):
    gradients = []
    for gradient_checkpointing in (False, True):
        config = tiny_denoiser_training(
            tmp_path / str(gradient_checkpointing),
            tiny_first_stage,
            gradient_checkpointing=gradient_checkpointing,
        )
        with torch.random.fork_rng():
            torch.manual_seed(0)
            objective = objective_of(config)
        requested = []
        objective.denoiser.register_forward_pre_hook(
            lambda _, given, requested=requested: requested.append(given[3].gradient_checkpointing)
        )
        samples = [make_training_samples(config)[k] for k in range(2)]
        loss = objective(objective.collate(samples), 3)["loss"]
        assert requested == [gradient_checkpointing]
        loss.backward()
        gradients.append([p.grad for p in objective.denoiser.parameters() if p.grad is not None])
    for plain, again in zip(*gradients, strict=True):
        torch.testing.assert_close(again, plain, rtol=1e-6, atol=1e-9)


def test_gradient_checkpointing_must_be_supported(tmp_path, tiny_first_stage, monkeypatch):
    monkeypatch.setattr(UNetConfig, "supports", frozenset())
    with pytest.raises(
        CompatibilityError, match="gradient_checkpointing: the denoiser 'latelier/unet' does"
    ):
        objective_of(
            tiny_denoiser_training(tmp_path, tiny_first_stage, gradient_checkpointing=True)
        )
