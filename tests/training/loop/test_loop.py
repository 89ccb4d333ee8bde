import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from latelier.contracts.errors import InvalidConfigError, UnknownNameError
from latelier.kernel.atelier import Atelier
from latelier.training.checkpoints.checkpoint import list_checkpoints, load_checkpoint
from latelier.training.configs.first_stage import FirstStageTraining
from latelier.training.data.datasets import make_held_out_samples, make_training_samples
from latelier.training.first_stage import train as stage
from latelier.training.first_stage.train import train_first_stage
from latelier.training.loop.interruption import SIGNALS, catch_signals

TINY = {
    "steps": 6,
    "batch_size": 2,
    "accelerator": "cpu",
    "precision": "bf16-mixed",
    "checkpoint_seconds": 1e-9,
    "sheet_every": 100,
    "log_every": 2,
    "measured_images": 4,
    "data": {"config": {"size": 16}},
    "schedule": {"kind": "cosine", "warmup": 2},
    "first_stage": {
        "id": "autoencoder_kl",
        "config": {
            "ch": 8,
            "ch_mult": [1, 2],
            "num_res_blocks": 1,
            "num_groups": 4,
            "dropout": 0.1,
        },
    },
}

KILL_AT_SAMPLE = """
import os, signal
from latelier.training.first_stage import train as stage
class Killing:
    def __init__(self, dataset): self.dataset = dataset
    def __getattr__(self, name): return getattr(self.dataset, name)
    def __len__(self): return len(self.dataset)
    def __getitem__(self, index):
        if index == 9: os.kill(os.getpid(), signal.SIGKILL)
        return self.dataset[index]
    def __getitems__(self, indices): return [self[index] for index in indices]
original = stage.make_training_samples
stage.make_training_samples = lambda config: Killing(original(config))
"""

KILL_WHILE_WRITING = """
import os, signal
from latelier.training.checkpoints import shards
original, calls = shards.save_tensors, []
def save_tensors(path, tensors):
    calls.append(path)
    if len(calls) == 12:
        path.write_bytes(b"half a file")
        os.kill(os.getpid(), signal.SIGKILL)
    original(path, tensors)
shards.save_tensors = save_tensors
"""

RUN = """
import json, sys
from latelier.training.configs.first_stage import FirstStageTraining
from latelier.training.first_stage.train import train_first_stage
train_first_stage(FirstStageTraining(**json.loads(sys.argv[1])))
"""


def tiny_training(out: Path, **changes: object) -> FirstStageTraining:
    return FirstStageTraining.model_validate({**TINY, "out": out, **changes})


def last_checkpoint(config: FirstStageTraining):
    return load_checkpoint(list_checkpoints(config.out / "checkpoints")[-1])


def assert_same_run(a: FirstStageTraining, b: FirstStageTraining) -> None:
    one, other = last_checkpoint(a), last_checkpoint(b)
    assert one.step == other.step
    for group in ("weights", "ema", "optimizer"):
        left, right = getattr(one, group), getattr(other, group)
        assert left.keys() == right.keys()
        assert not [name for name in left if not torch.equal(left[name], right[name])]


@pytest.fixture(scope="module")
def straight(tmp_path_factory) -> FirstStageTraining:
    """A run without interruption."""
    config = tiny_training(tmp_path_factory.mktemp("straight"))
    assert train_first_stage(config).finished
    return config


@pytest.mark.parametrize("death", [KILL_AT_SAMPLE, KILL_WHILE_WRITING], ids=["data", "write"])
def test_a_killed_run_resumes_to_the_same_bits(tmp_path, straight, death):
    config = tiny_training(tmp_path / "killed")
    given = json.dumps(config.model_dump(mode="json"))
    killed = subprocess.run([sys.executable, "-c", death + RUN, given], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert 0 < last_checkpoint(config).step < TINY["steps"]
    result = train_first_stage(config, resume=True)
    assert result.finished
    assert_same_run(straight, config)


def test_another_seed_gives_other_weights(tmp_path, straight):
    config = tiny_training(tmp_path, seed=1)
    train_first_stage(config)
    a, b = last_checkpoint(straight), last_checkpoint(config)
    assert not torch.equal(a.weights["quant_conv.weight"], b.weights["quant_conv.weight"])


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interrupted_run_saves_and_says_how_to_continue(
    tmp_path, straight, monkeypatch, capfd, number
):
    config = tiny_training(tmp_path / "interrupted", checkpoint_seconds=1000)
    with monkeypatch.context() as patch:
        patch.setattr(InterruptingSamples, "number", number)
        former = signal.signal(number, signal.SIG_DFL)  # whatever started the tests may ignore it
        patch.setattr(stage, "make_training_samples", make_interrupting_samples)
        result = train_first_stage(config)
        signal.signal(number, former)
    assert (result.finished, result.step) == (False, 3)
    assert "The same command continues." in capfd.readouterr().err
    assert last_checkpoint(config).step == 3
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert train_first_stage(config, resume="auto").finished
    assert_same_run(straight, config)


class InterruptingSamples:
    number = signal.SIGTERM

    def __init__(self, samples):
        self.samples = samples

    def __getattr__(self, name):
        return getattr(self.samples, name)

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, position):
        if position == 5:
            os.kill(os.getpid(), self.number)
        return self.samples[position]

    def __getitems__(self, positions):
        return [self[position] for position in positions]


def make_interrupting_samples(config):
    return InterruptingSamples(make_training_samples(config))


@pytest.mark.skipif(os.name == "nt", reason="it has no such signal")
def test_a_run_that_ignores_a_closed_terminal_goes_on_ignoring_it():
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with catch_signals() as request:
            os.kill(os.getpid(), signal.SIGHUP)
        assert not request.received
    finally:
        signal.signal(signal.SIGHUP, former)


def test_a_run_writes_its_files(straight):
    folder = straight.out
    assert {path.name for path in folder.iterdir()} - {"curves.png"} == {
        "config.yaml", "log.jsonl", "sheets", "checkpoints", "result", "report.json",
    }  # fmt: skip
    assert not [path for path in folder.rglob("*") if path.name.startswith(".")]
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [2, 4, 6]
    assert any("psnr" in line for line in lines)
    assert (folder / "sheets" / "step-00000006.png").exists()


def test_the_result_is_the_average_with_latents_of_unit_variance(straight):
    exported = load_file(straight.out / "result" / "first_stage.safetensors")
    ema = last_checkpoint(straight).average(0.05)
    assert all(torch.equal(exported[name], ema[name]) for name in ema)
    stored = json.loads((straight.out / "result" / "component.json").read_text())
    with torch.no_grad():
        autoencoder = stage.new_component(
            "first_stage", "autoencoder_kl", stored["config"], Atelier()
        ).module
        autoencoder.eval().load_state_dict(exported)
        held_out = make_held_out_samples(straight, 4)
        latents = autoencoder.encode(torch.stack([held_out[k]["image"] for k in range(4)]))
    assert latents.std().item() == pytest.approx(1, abs=1e-3)


def test_a_finished_run_can_only_be_exported_again(straight):
    before = last_checkpoint(straight)
    assert train_first_stage(straight, resume=True).finished
    assert last_checkpoint(straight).step == before.step


def test_a_run_is_not_overwritten(straight):
    with pytest.raises(InvalidConfigError, match="already holds a run at step-00000006"):
        train_first_stage(straight)


def test_resuming_without_a_checkpoint_is_an_error(tmp_path):
    with pytest.raises(InvalidConfigError, match="no checkpoint to resume from"):
        train_first_stage(tiny_training(tmp_path / "new"), resume=True)
    assert not (tmp_path / "new").exists()


def test_another_configuration_does_not_resume(straight):
    changed = straight.model_copy(update={"batch_size": 3, "kl_weight": 0.5})
    with pytest.raises(InvalidConfigError, match="another batch_size, kl_weight"):
        train_first_stage(changed, resume=True)


def test_out_must_be_a_folder(tmp_path):
    file = tmp_path / "file"
    file.write_text("a file")
    with pytest.raises(InvalidConfigError, match=r"out: .*file is a file, expected a folder"):
        train_first_stage(tiny_training(file))
    with pytest.raises(InvalidConfigError, match=r"out: cannot write to .*inside"):
        train_first_stage(tiny_training(file / "inside"))
    assert file.read_text() == "a file"


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_missing_accelerator_is_an_error_before_anything_is_written(tmp_path):
    with pytest.raises(InvalidConfigError, match="accelerator: 'cuda' is not available"):
        train_first_stage(tiny_training(tmp_path / "out", accelerator="cuda"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"first_stage": {"id": "autoencoder"}}, UnknownNameError, "Did you mean"),
        (
            {"first_stage": {"id": "autoencoder_kl", "config": {"chan": 3}}},
            InvalidConfigError,
            "no field 'chan'",
        ),
        ({"data": {"config": {"sise": 16}}}, InvalidConfigError, "no field 'sise'"),
    ],
)
def test_an_invalid_part_is_an_error_before_anything_is_written(tmp_path, changes, error, words):
    with pytest.raises(error, match=words):
        train_first_stage(tiny_training(tmp_path / "wrong", **changes))
    assert not (tmp_path / "wrong").exists()
