"""Stored outputs of frozen conditioners: written once, the same as computed, refused if stale."""

import shutil

import pytest
import torch
import yaml
from PIL import Image

from latelier import load
from latelier.contracts.errors import DataError, InvalidConfigError
from latelier.kernel.default import default_atelier
from latelier.pipeline import Pipeline
from latelier.training.adapter.train import plan_adapter
from latelier.training.caching import LATENT_TRAININGS, open_caches
from latelier.training.checkpoints.checkpoint import list_checkpoints, load_checkpoint
from latelier.training.configs.adapter import AdapterTraining
from latelier.training.configs.denoiser import DenoiserTraining
from latelier.training.configs.lora import LoraTraining
from latelier.training.data.features import features
from latelier.training.data.features.reader import FeatureReader
from latelier.training.denoiser.train import plan_denoiser, train_denoiser
from latelier.training.lora.train import plan_lora

CPU = torch.device("cpu")
FROZEN_TEXT = {"text": {"source": "prompt", "frozen": True, "drop": 0.3}}


@pytest.fixture(scope="module")
def base(tiny: Pipeline, tmp_path_factory):
    """The folder of a tiny model with texts and labels."""
    folder = tmp_path_factory.mktemp("base")
    tiny.save(folder)
    return folder


@pytest.fixture
def pictures(tmp_path):
    """A folder of 12 pictures with two captions each."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    lines = []
    for number in range(12):
        Image.new("RGB", (16, 16), (20 * number, 90, 200)).save(folder / f"{number:02d}.png")
        captions = f'["a red cat {number}", "a dog"]'
        lines.append(f'{{"file_name": "{number:02d}.png", "text": {captions}}}')
    (folder / "metadata.jsonl").write_text("\n".join(lines))
    return folder


@pytest.fixture
def configure(tmp_path, base, pictures):
    """Writes the configuration of a training on latents and returns it, by the kind of training."""

    def make(training, stored=("text",), data=None, **changes):
        cache = {"folder": str(tmp_path / "cache"), "dtype": "float32"}
        values = {
            "out": str(tmp_path / "run"),
            "steps": 4,
            "batch_size": 4,
            "accelerator": "cpu",
            "validation": {"samples": 4, "levels": [0.5]},
            "data": {
                "path": str(pictures),
                "size": 16,
                "cache": {**cache, "conditioners": list(stored)},
                **(data or {}),
            },
            **changes,
        }
        (kind,) = (name for name, each in LATENT_TRAININGS.items() if each.config is training)
        file = tmp_path / f"{kind}.yaml"
        file.write_text(yaml.safe_dump(values))
        return training.model_validate(values), file

    return make


@pytest.fixture
def fine_tuning(configure, base):
    def make(**changes):
        given = {"start_from": str(base), "conditioners": FROZEN_TEXT, **changes}
        return configure(DenoiserTraining, **given)

    return make


def open_both(file):
    return open_caches(file.stem, file, default_atelier())


def write(file):
    latents, features = open_both(file)
    latents.write(lambda jobs: latents.encode(jobs, CPU, 0), lambda results, _: results)
    return [cache.write(CPU, lambda results, _: results) for cache in features]


def without_features(config):
    cache = config.data.cache.model_copy(update={"conditioners": ()})
    return config.model_copy(update={"data": config.data.model_copy(update={"cache": cache})})


def losses_of(plan, steps=3):
    """Return losses of a few steps with an optimizer."""
    objective, size = plan.objective, plan.config.batch_size
    optimizer = torch.optim.Adam(objective.trained.parameters(), lr=0.01)
    losses = []
    for step in range(steps):
        batch = objective.collate([plan.dataset[step * size + row] for row in range(size)])
        loss = objective(batch, step)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def trainings(base):
    """Return the class, the function that makes the plan, and the fields of each kind."""
    adapter = {
        "name": "kind",
        "conditioner": {"id": "text", "source": "prompt", "config": {"width": 8, "heads": 2}},
        "inputs": {"prompt": {"source": "prompt"}},
    }
    return {
        "denoiser": (
            DenoiserTraining,
            plan_denoiser,
            {"start_from": str(base), "conditioners": FROZEN_TEXT},
        ),
        "lora": (LoraTraining, plan_lora, {"model": str(base)}),
        "adapter": (AdapterTraining, plan_adapter, {"model": str(base), **adapter}),
    }


@pytest.mark.parametrize("kind", ["denoiser", "lora", "adapter"])
def test_losses_are_those_without_stored_features(configure, base, kind):
    training, make_plan, changes = trainings(base)[kind]
    config, file = configure(training, **changes)
    [state] = write(file)
    assert state.is_complete
    assert state.written == state.wanted > 0

    def plan_of(config):
        plan = make_plan(config, default_atelier())
        for module in plan.objective.conditioners.values():
            if kind == "adapter" and not module.assets():
                module.fit(["a red cat", "a dog"] * 20)
        return plan

    computed = plan_of(without_features(config))
    expected = losses_of(computed)
    plan = plan_of(config)
    text = plan.objective.conditioners["text"]
    calls = []
    text.register_forward_hook(lambda *_: calls.append(1))
    assert losses_of(plan) == pytest.approx(expected, abs=1e-6)
    assert calls == []
    errors = computed.evaluator.validate()
    assert plan.evaluator.validate() == pytest.approx(errors, abs=1e-5)  # computes: not stored


def test_a_sample_has_the_output_for_its_own_caption(fine_tuning):
    config, file = fine_tuning()
    write(file)
    plan = plan_denoiser(config, default_atelier())
    text = plan.objective.conditioners["text"]
    prompts = set()
    for position in range(16):
        sample = plan.dataset[position]
        prompts.add(sample["prompt"])
        stream = text.encode([sample["prompt"]]).stream
        stored = sample["features"]["text"]
        n = len(stored["mask"])
        torch.testing.assert_close(stored["tokens"], stream.tokens[0, :n])
        assert stored["mask"].equal(stream.mask[0, :n])
        assert not stream.mask[0, n:].any()
    assert "a dog" in prompts
    assert len(prompts) > 4


def test_only_what_is_missing_is_written(fine_tuning, pictures):
    _, file = fine_tuning()
    [first] = write(file)
    metadata = pictures / "metadata.jsonl"
    metadata.write_text(metadata.read_text().replace('"a dog"', '"a blue dog"'))
    config, _ = fine_tuning()
    with pytest.raises(DataError, match=r"lacks the features of 1 of \d+ values of 'prompt'"):
        plan_denoiser(config, default_atelier())
    [again] = write(file)
    assert (again.written, again.present, again.stale) == (1, first.present, 1)
    assert plan_denoiser(config, default_atelier()).dataset[0]["features"]


def test_check_counts_what_is_missing(fine_tuning, pictures):
    _, file = fine_tuning()
    write(file)
    _, [cache] = open_both(file)
    assert cache.check().is_complete
    metadata = pictures / "metadata.jsonl"
    metadata.write_text(metadata.read_text().replace('"a dog"', '"a blue dog"'))
    _, [cache] = open_both(file)
    state = cache.check()
    assert (state.wanted - state.present, state.stale, state.written) == (1, 1, 0)


def test_a_killed_process_is_continued(fine_tuning, monkeypatch):
    _, file = fine_tuning()
    monkeypatch.setattr(features, "SHARD_ROWS", 4)
    original, calls = features.write_shard, []

    def fail(folder, views):
        calls.append(len(views))
        if len(calls) == 3:
            raise OSError("No space left on device")
        original(folder, views)

    with monkeypatch.context() as patch:
        patch.setattr(features, "write_shard", fail)
        with pytest.raises(OSError, match="No space"):
            write(file)
    [state] = write(file)
    assert state.is_complete
    assert state.written == state.wanted - 8


def test_features_of_other_weights_are_an_error_with_both(fine_tuning, base, tmp_path):
    _, file = fine_tuning()
    write(file)
    changed = load(str(base), device="cpu", dtype="float32")
    module = changed.conditioners["text"]
    for parameter in module.parameters():
        parameter.data = parameter.data + 0.1
    changed.save(tmp_path / "changed")
    config, file = fine_tuning(start_from=str(tmp_path / "changed"))
    for use in (lambda: plan_denoiser(config, default_atelier()), lambda: write(file)):
        with pytest.raises(DataError) as caught:
            use()
        message = str(caught.value)
        assert f"'latelier/text' of '{base}' (version " in message
        assert f"'latelier/text' of '{tmp_path / 'changed'}' (version " in message
        assert "delete it and run 'latelier data cache' again" in message


def test_a_model_in_another_folder_is_the_same(fine_tuning, base, tmp_path):
    _, file = fine_tuning()
    write(file)
    shutil.copytree(base, tmp_path / "moved")
    _, file = fine_tuning(start_from=str(tmp_path / "moved"))
    [state] = write(file)
    assert (state.written, state.is_complete) == (0, True)


def test_without_features_the_command_is_named(fine_tuning):
    config, file = fine_tuning()
    latents, _ = open_both(file)
    latents.write(lambda jobs: latents.encode(jobs, CPU, 0), lambda results, _: results)
    with pytest.raises(DataError, match="no features of the conditioner 'text'; 'latelier data"):
        plan_denoiser(config, default_atelier())


def test_a_caption_that_the_conditioner_refuses_is_replaced(fine_tuning, pictures):
    metadata = pictures / "metadata.jsonl"
    metadata.write_text(metadata.read_text().replace("a red cat 3", "cat " * 200))
    config, file = fine_tuning()
    [state] = write(file)
    assert state.is_complete
    assert "tokens" in state.unusable["03.png"]
    dataset = plan_denoiser(config, default_atelier()).dataset
    assert all(len(dataset[k]["prompt"]) < 100 for k in range(16))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data": {"captions": {"shuffle_tags": True}}}, "another caption each time"),
        ({"data": {"captions": {"drop_tags": 0.5}}}, "another caption each time"),
        ({"conditioners": {"text": {"source": "prompt"}}}, "it is trained"),
        ({"stored": ("txt",)}, "no conditioner 'txt'.* Did you mean 'text'"),
    ],
)
def test_outputs_that_change_are_refused(fine_tuning, changes, reason):
    _, file = fine_tuning(**changes)
    with pytest.raises(InvalidConfigError, match=reason):
        open_both(file)


def test_a_changed_text_encoder_of_a_lora_is_refused(configure, base):
    targets = ["denoiser.*.to_k", "conditioners.text.*"]
    _, file = configure(LoraTraining, model=str(base), targets=targets)
    with pytest.raises(InvalidConfigError, match="it is trained"):
        open_both(file)


def test_an_interrupted_training_resumes_to_the_same_bits(fine_tuning, tmp_path, monkeypatch):
    straight, file = fine_tuning(out=str(tmp_path / "straight"), workers=1)
    write(file)
    assert train_denoiser(straight).finished
    stopped, _ = fine_tuning(out=str(tmp_path / "stopped"), checkpoint_seconds=1e-9)
    read = FeatureReader.read

    def fail(self, sample):
        if sample["index"] == 10:
            raise RuntimeError("power cut")
        return read(self, sample)

    with monkeypatch.context() as patch:
        patch.setattr(FeatureReader, "read", fail)
        with pytest.raises(RuntimeError, match="power cut"):
            train_denoiser(stopped)
    assert train_denoiser(stopped, resume=True).finished
    ends = [
        load_checkpoint(list_checkpoints(each.out / "checkpoints")[-1]).weights
        for each in (straight, stopped)
    ]
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_a_class_is_stored_as_a_vector(configure, base, pictures):
    metadata = pictures / "metadata.jsonl"
    lines = metadata.read_text().splitlines()
    labelled = [f'{line[:-1]}, "class_label": {k % 3}}}' for k, line in enumerate(lines)]
    metadata.write_text("\n".join(labelled))
    inputs = {"label": {"source": "class_label"}, "prompt": {"source": "prompt"}}
    config, file = configure(LoraTraining, stored=("label", "text"), model=str(base), inputs=inputs)
    labels, texts = write(file)
    assert labels.written == 3
    assert texts.written > 8
    plan = plan_lora(config, default_atelier())
    sample = plan.dataset[3]
    expected = plan.objective.conditioners["label"].encode([sample["class_label"]])
    assert sample["features"]["label"]["vector"].equal(expected.vector[0])
    batch = plan.objective.collate([plan.dataset[k] for k in range(3)])
    assert (batch["conditions"], set(batch["features"])) == ({}, {"label", "text"})
