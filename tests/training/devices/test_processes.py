"""Two processes train as one does, with the gradients or also the weights shared."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from latelier.training.checkpoints.checkpoint import list_checkpoints, load_checkpoint

SCRIPT = Path(__file__).parent / "duo.py"

HALF = {"steps": 10}

MUON = {"optimizer": {"name": "muon", "lr": 0.01}}


def load_script():
    spec = importlib.util.spec_from_file_location("duo", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


train_rows = load_script().train_rows


def last(out):
    return load_checkpoint(list_checkpoints(out / "checkpoints")[-1])


@pytest.fixture(scope="module")
def runs(torchrun):
    """Trainings of one process and of two, by name, and what the two printed."""
    folder, shown = torchrun(SCRIPT, prepare_trainings)
    for name in ("ddp-one", "fsdp-one"):
        train_rows(folder / name)
    return folder, shown


def prepare_trainings(folder):
    """Train in one process, and return the trainings of two."""
    train_rows(folder / "one")
    train_rows(folder / "half", **HALF)
    train_rows(folder / "nan", nan=[42], steps=8)
    train_rows(folder / "muon", **MUON)
    for name in ("one-ddp", "one-fsdp"):
        shutil.copytree(folder / "half", folder / name)
    return [
        {"out": "ddp", "strategy": "ddp"},
        {"out": "ddp-parts", "strategy": "ddp", "accumulate": 2},
        {"out": "fsdp", "strategy": "fsdp"},
        {"out": "fsdp-parts", "strategy": "fsdp", "accumulate": 2},
        {"out": "one-ddp", "strategy": "ddp"},
        {"out": "one-fsdp", "strategy": "fsdp"},
        {"out": "ddp-one", "strategy": "ddp", **HALF},
        {"out": "fsdp-one", "strategy": "fsdp", **HALF},
        {"out": "muon-ddp", "strategy": "ddp", **MUON},
        {"out": "muon-fsdp", "strategy": "fsdp", **HALF, **MUON},
        {"out": "muon-fsdp", "strategy": "fsdp", **MUON},
        {"out": "nan-ddp", "strategy": "ddp", "nan": [42], "steps": 8},
        {"out": "nan-fsdp", "strategy": "fsdp", "nan": [42], "steps": 8},
        {
            "out": "bad",
            "strategy": "ddp",
            "nan": list(range(16, 999)),
            "faults": {"max_bad_steps": 3},
        },
        {"out": "full", "strategy": "ddp", "steps": 1},
        {"out": "stopped", "strategy": "ddp", "stop": 41},
    ]


@pytest.mark.parametrize(
    ("name", "alone"),
    [
        *((name, "one") for name in ("ddp", "ddp-parts", "one-ddp", "ddp-one")),
        *((name, "one") for name in ("fsdp", "fsdp-parts", "one-fsdp", "fsdp-one")),
        ("muon-ddp", "muon"),
        ("muon-fsdp", "muon"),
    ],
)
def test_two_processes_end_with_the_weights_of_one(runs, name, alone):
    folder, _ = runs
    one, two = last(folder / alone), last(folder / name)
    assert two.step == 20
    for group in ("weights", "ema", "optimizer"):
        expected, found = getattr(one, group), getattr(two, group)
        assert expected.keys() == found.keys()
        for key, tensor in expected.items():
            assert (found[key] - tensor).abs().max() < 1e-5, key


@pytest.mark.parametrize("name", ["ddp", "fsdp"])
def test_the_result_is_that_of_one_process(runs, name):
    folder, _ = runs
    one, two = (float((folder / each / "result" / "norm").read_text()) for each in ("one", name))
    assert two == pytest.approx(one, abs=1e-5)


def test_sharded_weights_are_written_by_both_as_safetensors(runs):
    folder, _ = runs
    files = {path.name for path in list_checkpoints(folder / "fsdp" / "checkpoints")[-1].iterdir()}
    assert files == {
        f"{group}-0000{part}-of-00002.safetensors"
        for group in ("weights", "ema", "optimizer")
        for part in (1, 2)
    } | {"state.json"}


@pytest.mark.parametrize("name", ["nan-ddp", "nan-fsdp"])
def test_both_skip_a_step_that_is_bad_in_one(runs, name):
    folder, _ = runs
    one, two = last(folder / "nan"), last(folder / name)
    assert max((two.weights[k] - t).abs().max() for k, t in one.weights.items()) < 1e-5
    (skipped,) = (
        line
        for line in map(json.loads, (folder / name / "log.jsonl").read_text().splitlines())
        if line.get("event") == "skipped"
    )
    assert skipped["step"] == 6
    assert 42 in skipped["positions"]
    assert len(skipped["positions"]) == 4  # the rows of one process
    assert "row 42" in skipped["samples"]


def test_both_end_when_the_loss_stays_unusable_and_one_shows_the_error(runs):
    _, shown = runs
    assert shown.count("TrainingError: 3 steps in a row were skipped") == 1
    assert shown.count("TrainingError: the result cannot be written") == 1
    assert shown.count("SystemExit: 2") == 2


def test_both_stop_when_one_receives_a_signal(runs):
    folder, _ = runs
    assert last(folder / "stopped").step == 6


def test_one_process_logs(runs):
    folder, _ = runs
    lines = [json.loads(line) for line in (folder / "ddp" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "event" not in line] == [5, 10, 15, 20]
