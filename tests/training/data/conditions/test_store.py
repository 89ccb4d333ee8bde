"""Outputs of conditioners for each view: as computed, kept as written, refused if stale."""

import numpy as np
import pytest
import torch
import yaml

from latelier.checkpoints.component import new_component, save_component
from latelier.contracts.errors import DataError, InvalidConfigError
from latelier.kernel.default import default_atelier
from latelier.training.caching import open_caches
from latelier.training.configs.denoiser import DenoiserTraining
from latelier.training.data.cache import build
from latelier.training.denoiser.train import plan_denoiser

CPU = torch.device("cpu")
FIRST_STAGE = {"ch": 8, "ch_mult": [1, 2], "num_res_blocks": 1, "num_groups": 4, "embed_dim": 4}
WIDTH = 4 * 5 + 16 + 3
CONDITIONERS = {
    "references": {"config": {"latent_channels": 4, "size": 16}},
    "mask": {"source": "image", "config": {"latent_channels": 4}},
    "image": {"source": "image", "config": {"factor": 2}},
    "semantic_map": {"config": {"num_classes": 12, "n_stages": 1}},
}
SCENES = {"size": 16, "vocabulary": "all", "objects": [1, 3], "slots": True}


@pytest.fixture(scope="module")
def first_stage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stages")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for name in ("one", "other"):
            component = new_component(
                "first_stage", "autoencoder_kl", FIRST_STAGE, default_atelier()
            )
            save_component(folder / name, component)
    return folder / "one"


@pytest.fixture
def configure(tmp_path, first_stage):
    """Writes and returns the configuration of a denoiser under four conditions, with its file."""

    def make(stored=tuple(CONDITIONERS), stage=first_stage, length=12, cache=None, **changes):
        spatial = {"mask": 5, "image": 3, "semantic_map": 12}
        values = {
            "out": str(tmp_path / "run"),
            "steps": 12,
            "batch_size": 4,
            "accelerator": "cpu",
            "first_stage": str(stage),
            "validation": {"samples": 4, "levels": [0.5]},
            "denoiser": {
                "id": "unet",
                "config": {
                    "in_channels": 4,
                    "out_channels": 4,
                    "model_channels": 8,
                    "channel_mult": [1],
                    "num_res_blocks": 1,
                    "attention_resolutions": [1],
                    "num_head_channels": 4,
                    "num_groups": 4,
                    "context_dim": 8,
                    "streams": {"references": {"width": WIDTH}},
                    "spatial": spatial,
                },
            },
            "conditioners": {
                name: {"id": name, "source": name, "drop": 0.3, **each}
                for name, each in CONDITIONERS.items()
            },
            "data": {
                "dataset": "emoji_scenes",
                "length": length,
                "config": SCENES,
                "cache": {
                    "folder": str(tmp_path / "cache"),
                    "conditioners": list(stored),
                    **(cache or {}),
                },
            },
            **changes,
        }
        file = tmp_path / "denoiser.yaml"
        file.write_text(yaml.safe_dump(values))
        return DenoiserTraining.model_validate(values), file

    return make


def write(file, workers=0):
    cache, features = open_caches("denoiser", file, default_atelier())
    assert features == []
    return cache.write(lambda jobs: cache.encode(jobs, CPU, workers), lambda results, _: results)


def plan_of(config):
    return plan_denoiser(config, default_atelier())


def without_cache(config):
    return config.model_copy(update={"data": config.data.model_copy(update={"cache": None})})


def conditions_of(plan, rows):
    batch = plan.objective.collate([plan.dataset[row] for row in rows])
    kept = plan.objective.conditioning.keep_all(len(rows))
    with torch.no_grad():
        return plan.objective.encode_condition(batch, kept)


@pytest.mark.parametrize("name", ["references", "semantic_map"])
def test_stored_conditions_are_those_of_a_training_without_cache(configure, name):
    config, file = configure()
    assert write(file).is_complete
    found = conditions_of(plan_of(config), range(8))
    expected = conditions_of(plan_of(without_cache(config)), range(8))
    if name in expected.spatial:
        torch.testing.assert_close(
            found.spatial[name], expected.spatial[name], rtol=1e-3, atol=1e-3
        )
        return
    stored, computed = found.streams[name], expected.streams[name]
    assert stored.mask.equal(computed.mask)
    assert not stored.mask.all()
    torch.testing.assert_close(
        stored.tokens[stored.mask], computed.tokens[stored.mask], rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("name", ["mask", "image"])
def test_stored_random_conditions_are_those_of_an_augmented_input(configure, monkeypatch, name):
    config, file = configure()
    plain = plan_of(without_cache(config))
    conditioner = plain.objective.conditioners[name]
    inputs, augment = [], type(conditioner).augment
    monkeypatch.setattr(
        type(conditioner), "augment", lambda *given: inputs.append(augment(*given)) or inputs[-1]
    )
    write(file)
    sample = plain.dataset[0]
    geometry = plain.objective.make_geometry(sample)
    with torch.no_grad():
        expected = conditioner.encode(inputs, geometry).spatial
    found = [plan_of(config).dataset[row]["features"][name]["spatial"] for row in range(12)]
    assert len(expected) == len(found)
    for each in found:
        errors = (expected - each.float()).abs().amax((1, 2, 3))
        assert errors.min() < 2e-3


def test_references_take_no_place_for_empty_slots(configure):
    config, file = configure()
    write(file)
    dataset = plan_of(config).dataset
    counts = set()
    for position in range(12):
        sample = dataset[position]
        assert "references" not in sample  # drawing them takes long
        tokens = sample["features"]["references"]["tokens"]
        assert tokens.dtype == torch.float16
        assert len(tokens) == 16 * len(sample["layout"])
        counts.add(len(tokens))
    assert len(counts) > 1


def test_each_epoch_has_the_same_rows(configure):
    config, file = configure(length=12)
    write(file)
    dataset = plan_of(config).dataset
    epochs = []
    for first in (0, 12):
        samples = [dataset[first + k] for k in range(12)]
        epochs.append({sample["prompt"] + str(sample["layout"]): sample for sample in samples})
    assert len(epochs[0]) == 12
    for key, sample in epochs[0].items():
        again = epochs[1][key]["features"]
        for name, tensors in sample["features"].items():
            assert all(tensor.equal(again[name][k]) for k, tensor in tensors.items())


def test_views_have_masks_and_degradations_of_their_own(configure):
    config, file = configure(length=2, cache={"views": 3}, steps=40)
    state = write(file)
    assert (state.wanted, state.conditions["mask"].wanted) == (2, 6)
    assert state.conditions["references"].wanted == 2
    dataset = plan_of(config).dataset
    found = {name: set() for name in CONDITIONERS}
    for position in range(60):
        for name, tensors in dataset[position]["features"].items():
            tensor = tensors.get("spatial", tensors.get("tokens"))
            found[name].add(tensor.numpy().tobytes())
    sizes = {name: len(each) for name, each in found.items()}
    assert sizes == {"references": 2, "mask": 6, "image": 6, "semantic_map": 2}


def test_views_without_anything_random_are_an_error(configure):
    _, file = configure(stored=["references"], cache={"views": 3})
    with pytest.raises(InvalidConfigError, match="are the same without"):
        write(file)


def test_a_step_computes_only_the_denoiser(configure):
    config, file = configure()
    write(file)
    plan = plan_of(config)
    objective = plan.objective
    batches = [
        objective.collate([plan.dataset[4 * step + row] for row in range(4)]) for step in range(2)
    ]
    objective(batches[0], 0)
    calls = []
    for module in (objective.first_stage, *objective.conditioners.values()):
        for each in module.modules():
            each.register_forward_hook(lambda *_: calls.append(1))
    objective(batches[1], 1)["loss"].backward()
    assert calls == []


def test_losses_are_those_without_stored_conditions(configure):
    config, file = configure(stored=["references", "semantic_map"], cache={"dtype": "float32"})
    values = yaml.safe_load(file.read_text())
    for name in ("mask", "image"):
        del values["conditioners"][name], values["denoiser"]["config"]["spatial"][name]
    file.write_text(yaml.safe_dump(values))
    config = DenoiserTraining.model_validate(values)
    write(file)
    uncached = config.data.cache.model_copy(update={"conditioners": ()})
    live = config.model_copy(update={"data": config.data.model_copy(update={"cache": uncached})})
    losses = []
    for each in (config, live):
        plan = plan_of(each)
        batch = plan.objective.collate([plan.dataset[row] for row in range(8)])
        losses.append(plan.objective(batch, 0)["loss"].item())
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_a_new_conditioner_is_added_alone(configure):
    _, file = configure(stored=["references"])
    write(file)
    config, file = configure()
    with pytest.raises(DataError, match="no features of the conditioner 'mask'; 'latelier data"):
        plan_of(config)
    state = write(file)
    assert (state.written, state.conditions["references"].written) == (0, 0)
    assert state.conditions["mask"].written == 12
    assert plan_of(config).dataset[0]["features"].keys() == CONDITIONERS.keys()


def test_a_killed_process_is_continued(configure, monkeypatch):
    config, file = configure()
    monkeypatch.setattr(build, "SHARD_VIEWS", 4)
    monkeypatch.setattr(build, "_BATCH", 2)
    original, calls = build.write_shard, []

    def fail(folder, views):
        calls.append(folder.name)
        if len(calls) == 8:
            raise OSError("No space left on device")
        original(folder, views)

    with monkeypatch.context() as patch:
        patch.setattr(build, "write_shard", fail)
        with pytest.raises(OSError, match="No space"):
            write(file)
    state = write(file)
    assert state.is_complete
    written = state.written + sum(each.written for each in state.conditions.values())
    assert written == 12 * 5 - 7 * 4
    assert plan_of(config).dataset[5]["features"]["image"]


def test_more_scenes_are_missing_and_counted(configure):
    _, file = configure(length=6)
    write(file)
    config, file = configure(length=8)
    cache, _ = open_caches("denoiser", file, default_atelier())
    state = cache.check()
    assert not state.is_complete
    assert [each.present for each in state.conditions.values()] == [6] * 4
    write(file)
    for shard in config.data.cache.folder.joinpath("conditioners", "mask").glob("*.safetensors"):
        shard.unlink()
    with pytest.raises(DataError, match=r"mask: lacks 8 of 8 views, such as that of 'scene 0'"):
        plan_of(config)


@pytest.mark.parametrize("change", ["configuration", "precision"])
def test_outputs_of_another_configuration_are_an_error(configure, change):
    _, file = configure()
    write(file)
    values = yaml.safe_load(file.read_text())
    if change == "configuration":
        values["conditioners"]["mask"]["config"]["hole_value"] = -1.0
    else:
        values["precision"] = "bf16-mixed"
    file.write_text(yaml.safe_dump(values))
    changed = DenoiserTraining.model_validate(values)
    for use in (lambda: plan_of(changed), lambda: write(file)):
        with pytest.raises(DataError, match=r"holds features of .* expected those of"):
            use()


def test_outputs_of_another_first_stage_are_an_error(configure, first_stage, tmp_path):
    _, file = configure()
    write(file)
    for path in (tmp_path / "cache").glob("cache.json"):
        path.unlink()  # as if the latents alone had been written again
    _, file = configure(stage=first_stage.parent / "other")
    with pytest.raises(DataError, match=r"conditioners/references: holds features of"):
        write(file)


def test_another_seed_has_other_masks(configure):
    _, file = configure()
    write(file)
    values = yaml.safe_load(file.read_text())
    values["data"]["seed"] = 5
    file.write_text(yaml.safe_dump(values))
    assert write(file).conditions["mask"].written == 12


def test_a_refused_input_replaces_the_sample(configure, monkeypatch):
    _, file = configure()
    values = yaml.safe_load(file.read_text())
    values["conditioners"]["references"]["config"]["max_references"] = 2
    values["denoiser"]["config"]["streams"]["references"]["width"] = WIDTH - 1
    file.write_text(yaml.safe_dump(values))
    state = write(file)
    assert state.is_complete
    unusable = state.conditions["references"].unusable
    assert unusable
    assert all("at most 2 fit" in reason for reason in unusable.values())
    plan = plan_of(DenoiserTraining.model_validate(values))
    together = plan.dataset.__getitems__(range(24))
    alone = [plan.dataset[position] for position in range(24)]
    assert all(len(sample["layout"]) < 3 for sample in together)
    assert [sample["prompt"] for sample in together] == [sample["prompt"] for sample in alone]


def test_several_processes_store_the_same(configure, tmp_path):
    config, file = configure(length=6)
    write(file)
    rows = [plan_of(config).dataset[k]["features"] for k in range(6)]
    for path in (tmp_path / "cache").rglob("*.safetensors"):
        path.unlink()
    write(file, workers=2)
    again = [plan_of(config).dataset[k]["features"] for k in range(6)]
    for row, other in zip(rows, again, strict=True):
        for name, tensors in row.items():
            assert all(np.array_equal(each, other[name][k]) for k, each in tensors.items())
