"""Runs that are resumed with another number of steps."""

import json

import pytest
import torch

from latelier.contracts.errors import InvalidConfigError
from latelier.training.checkpoints.checkpoint import list_checkpoints, load_checkpoint
from latelier.training.configs.first_stage import FirstStageTraining
from latelier.training.first_stage.train import train_first_stage
from latelier.training.loop.folder.prolong import select_checkpoint

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


LINE_WSD = {"kind": "wsd", "warmup": 1, "decay": 0.5}


def test_fewer_steps_than_were_taken_are_an_error_that_changes_nothing(tmp_path, train_line):
    train_line(tmp_path, schedule=LINE_WSD)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InvalidConfigError, match=r"steps: expected 8 or more.*got 5"):
        train_line(tmp_path, schedule=LINE_WSD, steps=5)
    assert sorted(tmp_path.rglob("*")) == before


def with_codes(out, steps, start):
    config = {**TINY, "first_stage": {"id": "autoencoder_vq"}, "codebook_start": start}
    return FirstStageTraining.model_validate({**config, "out": out, "steps": steps})


def test_a_start_that_would_move_is_an_error_with_the_number_of_steps(tmp_path):
    found = [tmp_path / "step-00000050"]
    with pytest.raises(InvalidConfigError, match=r"codebook_start: .*up to step 20.*steps: 20"):
        select_checkpoint(found, with_codes(tmp_path, 100, 0.2), with_codes(tmp_path, 200, 0.2))


def test_a_start_given_as_a_number_of_steps_moves_nothing(tmp_path):
    found = [tmp_path / "step-00000050"]
    former, config = with_codes(tmp_path, 100, 0.2), with_codes(tmp_path, 200, 20)
    assert select_checkpoint(found, former, config) == found[0]


def test_a_checkpoint_before_both_starts_is_selected(tmp_path):
    found = [tmp_path / "step-00000010", tmp_path / "step-00000050"]
    former, config = with_codes(tmp_path, 100, 0.2), with_codes(tmp_path, 200, 0.2)
    assert select_checkpoint(found, former, config) == found[0]


def test_a_share_may_become_its_number_of_steps(tmp_path):
    config = {**TINY, "out": tmp_path, "schedule": WSD, "decoder_only": {"start": 0.5}}
    train_first_stage(FirstStageTraining(**config, steps=6))
    config["decoder_only"] = {"start": 3}
    result = train_first_stage(FirstStageTraining(**config, steps=8), resume=True)
    assert result.step == 8
