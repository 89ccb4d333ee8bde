"""Training an adapter: the model stays frozen, and the result loads into a view of it."""

import json

import pytest
import torch

from latelier import default_atelier, load
from latelier.contracts.errors import (
    CompatibilityError,
    InvalidConfigError,
    InvalidInputError,
    UnknownNameError,
)
from latelier.training.adapter import train as stage
from latelier.training.adapter.train import train_adapter
from latelier.training.checkpoints.checkpoint import list_checkpoints, load_checkpoint
from latelier.training.configs.adapter import AdapterTraining
from latelier.training.data.datasets import make_training_samples
from latelier.training.prediction.objective import PredictionObjective
from latelier.training.randomness import Draws, Purpose

KIND = {
    "id": "class_label",
    "source": "class_label",
    "drop": 0.2,
    "config": {"num_classes": 512, "width": 6, "slot": "stream"},
}
VALUES = {
    "name": "kind",
    "steps": 4,
    "batch_size": 3,
    "accelerator": "cpu",
    "checkpoint_seconds": 1000,
    "sheet_every": 100,
    "log_every": 2,
    "data": {"config": {"size": 16}},
    "optimizer": {"lr": 0.01},
    "schedule": {"kind": "cosine", "warmup": 2},
    "conditioner": KIND,
    "projection": {"width": 16, "tokens": 2},
    "inputs": {"prompt": {"source": "prompt", "drop": 0.3}},
    "description": "of kinds",
    "card": {"licence": "CC0"},
}


@pytest.fixture
def configured(base, tmp_path):
    def configure(out="run", **changes):
        values = {**VALUES, "out": tmp_path / out, "model": str(base), **changes}
        return AdapterTraining.model_validate(values)

    return configure


@pytest.fixture(scope="module")
def trained(base, tmp_path_factory):
    values = {**VALUES, "out": tmp_path_factory.mktemp("trained"), "model": str(base)}
    config = AdapterTraining.model_validate(values)
    assert train_adapter(config).finished
    return config


@pytest.fixture
def objective_of():
    """Makes the objective of a configuration, as it is before the first step."""

    def objective(config) -> PredictionObjective:
        plan = stage.plan_adapter(config, default_atelier())
        plan.initialize(config.out, True)
        return plan.objective

    return objective


def batch_of(objective, count=3):
    samples = make_training_samples(objective.config)
    return objective.collate([samples[k] for k in range(count)])


def base_modules(objective):
    own = (objective.first_stage, objective.denoiser, *objective.conditioners.values())
    return [each for each in own if each is not objective.trained["conditioner"]]


def test_the_result_is_an_adapter_of_the_model(trained, base):
    view = load(base, "cpu").with_adapter(trained.out / "result")
    picture = view.generate(prompt="a cat", kind=3, seed=1)[0]
    assert picture.image.size == (16, 16)
    assert picture.image.tobytes() != view.generate(prompt="a cat", seed=1)[0].image.tobytes()
    assert (trained.out / "sheets" / "step-00000004.png").exists()
    stored = json.loads((trained.out / "result" / "adapter.json").read_text())
    manifest = json.loads((base / "latelier.json").read_text())
    assert stored["trained_on"] == {
        "model": str(base),
        "denoiser": "latelier/unet",
        "config_sha256": load(base, "cpu").denoiser_component.config_sha256,
        "weights_sha256": manifest["denoiser"]["weights"]["sha256"],
        "process": "rectified_flow",
    }
    assert (stored["name"], stored["description"]) == ("kind", "of kinds")
    assert stored["card"] == {"licence": "CC0"}


def test_the_result_holds_the_averaged_weights(trained, base):
    ema = load_checkpoint(list_checkpoints(trained.out / "checkpoints")[-1]).average(0.05)
    found = load(base, "cpu").with_adapter(trained.out / "result").adapters["kind"].loaded
    modules = {"adapter": found.adapter.module, "conditioner": found.conditioner.module}
    tensors = {
        f"{part}.{name}": tensor
        for part, module in modules.items()
        for name, tensor in module.state_dict().items()
    }
    assert tensors.keys() == ema.keys()
    assert all(torch.equal(tensor, ema[name]) for name, tensor in tensors.items())


def test_the_model_does_not_change_by_a_bit(configured, objective_of, monkeypatch):
    objective = objective_of(configured("first"))
    before = [
        {name: tensor.clone() for name, tensor in module.state_dict().items()}
        for module in base_modules(objective)
    ]
    optimizer = torch.optim.AdamW(objective.trained.parameters(), lr=0.1, weight_decay=0.5)
    for step in range(3):
        objective(batch_of(objective), step)["loss"].backward()
        optimizer.step()
    for module, then in zip(base_modules(objective), before, strict=True):
        assert not module.training
        assert all(each.grad is None and not each.requires_grad for each in module.parameters())
        now = module.state_dict()
        assert all(torch.equal(now[name], tensor) for name, tensor in then.items())
    assert {id(p) for g in optimizer.param_groups for p in g["params"]}.isdisjoint(
        id(p) for module in base_modules(objective) for p in module.parameters()
    )


def test_adapter_and_conditioner_both_learn(configured, objective_of):
    objective = objective_of(configured(conditioner={**KIND, "drop": 0.0}, drop_all=0.0))
    first = objective(batch_of(objective), 0)["loss"]
    optimizer = torch.optim.Adam(objective.trained.parameters(), lr=0.01)
    for _ in range(25):
        optimizer.zero_grad()
        loss = objective(batch_of(objective), 0)["loss"]
        loss.backward()
        optimizer.step()
    assert loss < first
    learnt = {name for name, p in objective.trained.named_parameters() if p.grad.abs().sum() > 0}
    assert any(name.startswith("conditioner.") for name in learnt)
    for part in ("projection", "to_k", "to_v"):
        assert any(part in name for name in learnt), part


def test_sheets_do_not_change_the_training(trained, configured):
    config = configured(sheet_every=1)
    assert train_adapter(config).finished
    without, with_sheets = (
        load_checkpoint(list_checkpoints(each.out / "checkpoints")[-1])
        for each in (trained, config)
    )
    assert all(torch.equal(t, with_sheets.weights[name]) for name, t in without.weights.items())


def test_an_untrained_adapter_has_the_loss_of_the_model(configured, objective_of):
    with torch.no_grad():
        errors = stage.plan_adapter(configured(), default_atelier()).evaluator.validate()
    assert errors["x0_error"] == errors["x0_error_without"]


def test_a_resumed_run_ends_with_the_same_bits(trained, configured, monkeypatch):
    config = configured("resumed")
    get = PredictionObjective.forward

    def failing(self, batch, step, player):
        if step == 2:
            raise RuntimeError("power cut")
        return get(self, batch, step, player)

    with monkeypatch.context() as patch:
        patch.setattr(PredictionObjective, "forward", failing)
        with pytest.raises(RuntimeError, match="power cut"):
            train_adapter(config.model_copy(update={"checkpoint_seconds": 1e-9}))
    again = config.model_copy(update={"checkpoint_seconds": 1000})
    assert train_adapter(again, resume="auto").finished
    ends = [
        load_checkpoint(list_checkpoints(each.out / "checkpoints")[-1])
        for each in (trained, config)
    ]
    assert all(torch.equal(t, ends[1].weights[name]) for name, t in ends[0].weights.items())


@pytest.mark.parametrize(
    ("kind", "prompt", "drop_all", "null"),
    [
        (1.0, 0.0, 0.0, {"kind", "label"}),
        (0.0, 1.0, 0.0, {"text", "label"}),
        (0.0, 0.0, 1.0, {"kind", "text", "label"}),
        (0.0, 0.0, 0.0, {"label"}),
    ],
)
def test_conditions_are_dropped_one_by_one_and_together(
    configured, objective_of, kind, prompt, drop_all, null
):
    config = configured(
        conditioner={**KIND, "drop": kind},
        inputs={"prompt": {"source": "prompt", "drop": prompt}},
        drop_all=drop_all,
    )
    objective = objective_of(config)
    batch, geometry = batch_of(objective), None
    geometry = objective.make_geometry(batch)
    kept = objective.conditioning.draw_kept(Draws(0, 0, batch["index"]))
    condition = objective.conditioning.encode(batch, kept, geometry, torch.device("cpu"))
    found = set()
    for name, module in objective.conditioners.items():
        part = module.null(3, geometry)
        if part.stream is None:
            same = torch.equal(condition.vectors[name], part.vector)
        else:
            mask = part.stream.mask
            n = part.stream.tokens.shape[1]
            given = condition.streams[name]
            same = torch.equal(given.tokens[:, :n], part.stream.tokens) and (
                mask is None or torch.equal(given.mask[:, :n], mask)
            )
        if same:
            found.add(name)
    assert found == null


def test_the_inputs_are_those_of_the_configuration(configured, objective_of):
    objective = objective_of(configured())
    assert set(batch_of(objective)["conditions"]) == {"text", "kind"}
    everything = {name: {"source": s} for name, s in {"prompt": "prompt"}.items()}
    assert objective_of(configured("other", inputs=everything))
    assert set(batch_of(objective_of(configured("none", inputs={})))["conditions"]) == {"kind"}


def test_the_conditioner_augments_its_input(configured, objective_of, monkeypatch):
    config = configured()
    objective = objective_of(config)
    conditioner = type(objective.trained["conditioner"])
    drawn = []

    def augment(self, value, rng):
        drawn.append(int(rng.integers(1 << 30)))
        return value

    monkeypatch.setattr(conditioner, "augment", augment)
    batch_of(objective)
    first = list(drawn)
    batch_of(objective)
    assert len(set(first)) == 3
    assert drawn == first * 2


def test_validation_measures_the_effect_of_the_adapter(trained):
    lines = [json.loads(line) for line in (trained.out / "log.jsonl").read_text().splitlines()]
    validation = [line for line in lines if line.get("event") == "validation"][-1]
    assert validation["ema"]["x0_error"] != validation["ema"]["x0_error_without"]


class TestFaults:
    @pytest.mark.parametrize(
        ("changes", "error", "says"),
        [
            ({"inputs": {"prumpt": {"source": "prompt"}}}, UnknownNameError, "mean 'prompt'"),
            (
                {"inputs": {"prompt": {"source": "caption"}}},
                InvalidConfigError,
                "input 'prompt': the data samples have no field 'caption'",
            ),
            (
                {"conditioner": {**KIND, "source": "sound"}},
                InvalidConfigError,
                "conditioner 'kind': the data samples have no field 'sound'",
            ),
            (
                {"conditioner": {**KIND, "config": {**KIND["config"], "slot": "vector"}}},
                CompatibilityError,
                "gives no stream",
            ),
            ({"name": "text"}, CompatibilityError, "stream 'text'"),
            ({"name": "seed"}, InvalidInputError, "cannot be called 'seed'"),
            ({"name": "keys"}, InvalidConfigError, "cannot be named 'keys': torch reserves"),
            ({"model": "emoji-scene"}, UnknownNameError, "mean 'emoji-scenes'"),
            ({"conditioner": {**KIND, "id": "hum"}}, UnknownNameError, "no conditioner 'hum'"),
        ],
    )
    def test_invalid_parts_are_errors_before_anything_is_written(
        self, configured, changes, error, says
    ):
        config = configured(**changes)
        with pytest.raises(error, match=says):
            train_adapter(config)
        assert not config.out.exists()

    def test_a_model_without_cross_attention_is_an_error(
        self, compose_tiny, tiny_changes, configured, tmp_path
    ):
        changes = tiny_changes()
        denoiser = changes["denoiser"][1] | {"context_dim": None, "streams": {}}
        label = {"label": changes["conditioners"]["label"]}
        other = compose_tiny(denoiser=("unet", denoiser), conditioners=label, inputs=None)
        other.save(tmp_path / "plain")
        config = configured(model=str(tmp_path / "plain"), inputs={})
        with pytest.raises(CompatibilityError, match="this denoiser has none"):
            train_adapter(config)


def test_purposes_of_drop_out_do_not_overlap(configured, objective_of):
    objective = objective_of(configured())
    draws = Draws(0, 0, list(range(64)))
    text, kind = (draws.uniform(Purpose.DROP_FIRST + k) for k in range(2))
    assert list(objective.conditioning.sources) == ["text", "kind"]
    assert not torch.equal(text, kind)
