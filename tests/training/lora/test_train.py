"""Training a LoRA: the model stays frozen, and the result loads into views of it."""

import json

import pytest
import torch
from safetensors.torch import load_file

from latelier import default_atelier, load
from latelier.checkpoints.lora.layers import find_layers
from latelier.contracts.errors import InvalidConfigError, UnknownNameError
from latelier.training.checkpoints.checkpoint import list_checkpoints, load_checkpoint
from latelier.training.configs.lora import LoraTraining
from latelier.training.data.datasets import make_training_samples
from latelier.training.lora.train import plan_lora, train_lora
from latelier.training.prediction.objective import PredictionObjective

VALUES = {
    "name": "sketch",
    "steps": 4,
    "batch_size": 3,
    "rank": 2,
    "accelerator": "cpu",
    "checkpoint_seconds": 1000,
    "sheet_every": 100,
    "log_every": 2,
    "data": {"config": {"size": 16}},
    "validation": {"samples": 4},
    "optimizer": {"lr": 0.01},
    "schedule": {"kind": "constant", "warmup": 0},
    "description": "of lines",
    "card": {"licence": "CC0"},
}
BOTH = ["denoiser.*.to_k", {"layers": "conditioners.text.*", "rank": 1, "alpha": 3}]


@pytest.fixture
def configure(base, tmp_path):
    def make(out="run", **changes):
        values = {**VALUES, "out": tmp_path / out, "model": str(base), **changes}
        return LoraTraining.model_validate(values)

    return make


@pytest.fixture(scope="module")
def trained(base, tmp_path_factory):
    values = {**VALUES, "out": tmp_path_factory.mktemp("trained"), "model": str(base)}
    config = LoraTraining.model_validate({**values, "targets": BOTH})
    assert train_lora(config).finished
    return config


@pytest.fixture
def objective_of():
    """Makes the objective of a configuration, as it is before the first step."""
    return lambda config: plan_lora(config, default_atelier()).objective


def batch_of(objective, count=3):
    samples = make_training_samples(objective.config)
    return objective.collate([samples[k] for k in range(count)])


def train_steps(objective, steps, lr=0.05):
    optimizer = torch.optim.Adam(objective.trained.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = objective(batch_of(objective), 0)["loss"]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def pixels(pipeline):
    return pipeline.generate(prompt="a cat", seed=1)[0].image.tobytes()


def test_the_result_is_a_lora_of_the_model(trained, base):
    pipe = load(base, "cpu")
    view = pipe.with_adapter(trained.out / "result")
    assert pixels(view) != pixels(pipe)
    assert pixels(pipe.with_adapter(trained.out / "result" / "adapter.safetensors")) == pixels(view)
    assert (trained.out / "sheets" / "step-00000004.png").exists()
    stored = json.loads((trained.out / "result" / "adapter.json").read_text())
    manifest = json.loads((base / "latelier.json").read_text())
    assert stored["trained_on"] == {
        "model": str(base),
        "denoiser": "latelier/unet",
        "config_sha256": pipe.denoiser_component.config_sha256,
        "weights_sha256": manifest["denoiser"]["weights"]["sha256"],
        "process": "rectified_flow",
    }
    assert (stored["adapter"]["id"], stored["name"]) == ("latelier/lora", "sketch")
    assert (stored["description"], stored["card"]) == ("of lines", {"licence": "CC0"})


def test_the_result_holds_the_averaged_weights(trained, base):
    average = load_checkpoint(list_checkpoints(trained.out / "checkpoints")[-1]).average(0.05)
    view = load(base, "cpu").with_adapter(trained.out / "result")
    lora = view.adapters["sketch"].loaded.adapter.module
    for address, change in lora.layers.items():
        name = f"lora.{address.replace('.', '/')}"
        product = average[f"{name}.up"] @ average[f"{name}.down"].flatten(1)
        alpha = 3.0 if address.startswith("conditioners") else 1.0
        torch.testing.assert_close(
            change.difference(torch.zeros(change.shape)).flatten(1), alpha * product
        )


def test_targets_choose_layers_ranks_and_alphas(trained, base):
    tensors = load_file(trained.out / "result" / "adapter.safetensors")
    ranks = {name: len(each) for name, each in tensors.items() if "lora_A" in name}
    text = {name for name in ranks if name.startswith("text_encoder.")}
    assert {ranks[name] for name in text} == {1}
    assert {ranks[name] for name in ranks.keys() - text} == {2}
    assert all(name.endswith("to_k.lora_A.weight") for name in ranks.keys() - text)
    assert text


def test_attention_is_the_default(configure, objective_of):
    lora = objective_of(configure()).trained["lora"]
    names = {address.partition(".attn")[2][2:] for address in lora.layers}
    assert names == {"to_q", "to_k", "to_v", "to_out.0"}
    assert all(address.startswith("denoiser.") for address in lora.layers)


def test_the_model_does_not_change_by_a_bit(configure, objective_of, base):
    objective = objective_of(configure(targets=BOTH))
    train_steps(objective, 2)
    modules = {f"conditioners.{name}": each for name, each in objective.conditioners.items()}
    modules |= {"first_stage": objective.first_stage, "denoiser": objective.denoiser}
    fresh = load(base, "cpu").base_components()
    for place, component in fresh.items():
        now = dict(modules[place].named_parameters())
        for name, tensor in component.module.named_parameters():
            inner = name.replace(".weight", ".base.weight").replace(".bias", ".base.bias")
            found = now.get(name, now.get(inner))
            assert torch.equal(found, tensor), name
            assert not found.requires_grad
            assert found.grad is None


def test_every_change_learns(configure, objective_of):
    objective = objective_of(configure(targets=["*"], drop_all=0.0))
    losses = train_steps(objective, 25)
    assert losses[-1] < losses[0]
    still = [name for name, p in objective.trained.named_parameters() if not p.grad.abs().sum()]
    assert still == []


def test_an_untrained_lora_has_the_errors_of_the_model(configure):
    evaluator = plan_lora(configure(targets=["*"]), default_atelier()).evaluator
    with torch.no_grad():
        errors = evaluator.validate()
    assert errors["x0_error"] == errors["x0_error_without"]
    train_steps(evaluator.objective, 3)
    with torch.no_grad():
        trained = evaluator.validate()
    assert trained["x0_error"] != trained["x0_error_without"]
    assert trained["x0_error_without"] == errors["x0_error"]


def test_recomputed_activations_give_the_same_gradients(configure, objective_of):
    gradients = []
    for changes in ({}, {"gradient_checkpointing": True}):
        objective = objective_of(configure(targets=BOTH, **changes))
        train_steps(objective, 2)
        objective.zero_grad()
        objective(batch_of(objective), 0)["loss"].backward()
        gradients.append([p.grad for p in objective.trained.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("layout", ["kohya", "latelier"])
def test_the_layout_of_the_result_is_chosen(configure, base, layout):
    config = configure(layout=layout, steps=1)
    assert train_lora(config).finished
    names = load_file(config.out / "result" / "adapter.safetensors").keys()
    prefix = {"kohya": "lora_unet_", "latelier": "denoiser."}[layout]
    assert all(name.startswith(prefix) for name in names)
    assert any(name.endswith(".alpha") for name in names)
    assert load(base, "cpu").with_adapter(config.out / "result").adapters


def test_a_resumed_run_ends_with_the_same_bits(trained, configure, monkeypatch):
    config = configure("resumed", targets=BOTH)
    forward = PredictionObjective.forward

    def failing(self, batch, step, player):
        if step == 2:
            raise RuntimeError("power cut")
        return forward(self, batch, step, player)

    with monkeypatch.context() as patch:
        patch.setattr(PredictionObjective, "forward", failing)
        with pytest.raises(RuntimeError, match="power cut"):
            train_lora(config.model_copy(update={"checkpoint_seconds": 1e-9}))
    assert train_lora(config.model_copy(update={"checkpoint_seconds": 1000}), resume="auto")
    ends = [
        load_checkpoint(list_checkpoints(each.out / "checkpoints")[-1])
        for each in (trained, config)
    ]
    assert ends[0].weights.keys() == ends[1].weights.keys()
    assert all(torch.equal(t, ends[1].weights[name]) for name, t in ends[0].weights.items())


def test_a_lora_of_the_base_fits_a_tuned_model(trained, base, tmp_path):
    tuned = load(base, "cpu")
    with torch.no_grad():
        for weights in tuned.denoiser.parameters():
            weights.copy_(weights + 0.01)
    tuned.save(tmp_path)
    pipe, view = load(tmp_path, "cpu"), load(tmp_path, "cpu").with_adapter(trained.out / "result")
    lora = view.adapters["sketch"].loaded.adapter.module
    layers = find_layers(pipe.base_modules())
    changed = find_layers({place: each.module for place, each in view.components().items()})
    for address, change in lora.layers.items():
        found = changed[address].weight - layers[address].weight
        wanted = change.difference(layers[address].weight)
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-6)
    assert pixels(view) != pixels(pipe)


def test_training_goes_on_from_a_model_that_was_saved_with_a_lora(trained, base, tmp_path):
    load(base, "cpu").with_adapter(trained.out / "result").save(tmp_path / "model")
    config = {**VALUES, "out": tmp_path / "run", "model": str(tmp_path / "model"), "steps": 1}
    assert train_lora(LoraTraining.model_validate(config)).finished
    view = load(tmp_path / "model", "cpu").with_adapter(tmp_path / "run" / "result")
    assert view.adapters.keys() == {"sketch", "sketch_2"}


class TestFaults:
    @pytest.mark.parametrize(
        ("changes", "error", "says"),
        [
            (
                {"targets": ["denoiser.*.to_kk"]},
                InvalidConfigError,
                r"targets: 'denoiser\.\*\.to_kk' names no layer .*nearest are denoiser\.\*\.to_k",
            ),
            (
                {"targets": ["denoiser.vector_embeds.label"], "rank": 9},
                InvalidConfigError,
                r"rank: 'denoiser\.vector_embeds\.label' .*at most 8, got 9",
            ),
            ({"inputs": {"prumpt": {"source": "prompt"}}}, UnknownNameError, "mean 'prompt'"),
            (
                {"inputs": {"prompt": {"source": "sound"}}},
                InvalidConfigError,
                "the data samples have no field 'sound'",
            ),
            ({"model": "nowhere"}, UnknownNameError, "model: "),
        ],
    )
    def test_what_does_not_fit_is_refused(self, configure, changes, error, says):
        config = configure(**changes)
        with pytest.raises(error, match=says):
            train_lora(config)
        assert not config.out.exists()
