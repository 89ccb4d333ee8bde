"""Runs that are resumed with another number of steps."""

import json

import pytest
import torch

from latelier.contracts.errors import InvalidConfigError
from latelier.training.checkpoints.checkpoint import list_checkpoints, load_checkpoint
from latelier.training.configs.first_stage import FirstStageTraining
from latelier.training.first_stage.train import train_first_stage

WSD = {"kind": "wsd", "warmup": 2, "decay": 0.5}

TINY = {
    "batch_size": 2,
    "accelerator": "cpu",
    "checkpoint_seconds": 1000,
    "sheet_every": 100,
    "sheet_weights": [],
    "validate_every": 100,
    "measured_images": 4,
    "data": {"config": {"size": 16}},
    "first_stage": {
        "id": "autoencoder_kl",
        "config": {"ch": 8, "ch_mult": [1, 2], "num_res_blocks": 1, "num_groups": 4},
    },
}


def train(out, steps, schedule, *, resume=False):
    config = FirstStageTraining(**TINY, out=out, steps=steps, schedule=schedule)
    return train_first_stage(config, resume=resume)


def weights_of(out):
    return load_checkpoint(list_checkpoints(out / "checkpoints")[-1]).weights


def test_a_prolonged_run_ends_like_one_that_was_as_long_from_the_start(tmp_path):
    train(tmp_path / "short", 6, WSD)
    assert train(tmp_path / "short", 12, WSD, resume=True).step == 12
    train(tmp_path / "long", 12, WSD)
    expected = weights_of(tmp_path / "long")
    assert all(
        torch.equal(tensor, expected[name])
        for name, tensor in weights_of(tmp_path / "short").items()
    )


def test_the_decayed_result_of_the_shorter_run_stays(tmp_path):
    train(tmp_path, 6, WSD)
    short = (tmp_path / "result" / "component.json").read_bytes()
    train(tmp_path, 12, WSD, resume=True)
    assert (tmp_path / "result-00000006" / "component.json").read_bytes() == short
    assert (tmp_path / "result").is_dir()


def test_it_continues_where_the_decay_began(tmp_path):
    train(tmp_path, 6, WSD)
    names = [path.name for path in list_checkpoints(tmp_path / "checkpoints")]
    assert names == ["step-00000003", "step-00000006"]
    train(tmp_path, 12, WSD, resume=True)
    events = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    resumed = [each["step"] for each in events if each.get("event") == "resumed"]
    assert resumed == [3]


def test_a_run_with_a_cosine_cannot_be_prolonged(tmp_path):
    cosine = {"kind": "cosine", "warmup": 2}
    train(tmp_path, 4, cosine)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(InvalidConfigError, match=r"steps: expected 4.*cosine.*start_from"):
        train(tmp_path, 8, cosine, resume=True)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_a_constant_rate_continues_from_the_end(tmp_path):
    constant = {"kind": "constant", "warmup": 2}
    train(tmp_path / "a", 4, constant)
    assert train(tmp_path / "a", 8, constant, resume=True).step == 8
    train(tmp_path / "b", 8, constant)
    expected = weights_of(tmp_path / "b")
    assert all(
        torch.equal(tensor, expected[name]) for name, tensor in weights_of(tmp_path / "a").items()
    )
