import json

import pytest
import torch
from lightning_fabric import Fabric

from latelier.contracts.errors import ModelFileError
from latelier.training.checkpoints import checkpoint as checkpoint_module
from latelier.training.checkpoints.checkpoint import (
    Checkpoint,
    list_checkpoints,
    load_checkpoint,
)
from latelier.training.checkpoints.writer import CheckpointWriter
from latelier.training.configs.training import Training


def checkpoint_at(step: int, score: float | None = None) -> Checkpoint:
    tensors = {"a": torch.full((2, 2), float(step))}
    state = {"ema_updates": step, "score": score}
    return Checkpoint(step, tensors, tensors, {"a/step": torch.tensor(step)}, state)


def save(out, *checkpoints, **keep):
    writer = CheckpointWriter(
        Training(out=out, steps=1, keep=keep), Fabric(accelerator="cpu", devices=1)
    )
    return [writer.write(each) for each in checkpoints][-1]


def steps_in(out):
    return [int(path.name.removeprefix("step-")) for path in list_checkpoints(out / "checkpoints")]


def test_a_checkpoint_is_read_back(tmp_path):
    loaded = load_checkpoint(save(tmp_path, checkpoint_at(3)))
    assert (loaded.step, loaded.state) == (3, {"ema_updates": 3, "score": None})
    assert torch.equal(loaded.weights["a"], torch.full((2, 2), 3.0))
    assert loaded.optimizer["a/step"].item() == 3


def test_the_last_two_are_kept(tmp_path):
    save(tmp_path, *(checkpoint_at(step) for step in (1, 2, 10)))
    assert steps_in(tmp_path) == [2, 10]


def test_the_best_and_those_at_an_interval_are_kept_too(tmp_path):
    scores = {1: 0.5, 2: 0.1, 3: 0.4, 4: None, 5: 0.3, 6: 0.2, 7: None, 8: None}
    saved = [checkpoint_at(step, score) for step, score in scores.items()]
    save(tmp_path, *saved, last=1, best=2, every=4)
    assert steps_in(tmp_path) == [2, 4, 6, 8]


def test_files_of_other_names_are_no_checkpoints_and_stay(tmp_path):
    copy = tmp_path / "checkpoints" / "step-00000001-my-copy"
    copy.mkdir(parents=True)
    save(tmp_path, *(checkpoint_at(step) for step in (1, 2, 3)))
    assert steps_in(tmp_path) == [2, 3]
    assert copy.is_dir()


def test_a_checkpoint_that_is_being_deleted_is_none_any_more(tmp_path, monkeypatch):
    def die(path, ignore_errors=False):
        (path / "weights.safetensors").unlink(missing_ok=True)

    monkeypatch.setattr("latelier.training.checkpoints.retention.shutil.rmtree", die)
    save(tmp_path, *(checkpoint_at(step) for step in (1, 2, 3)))
    assert steps_in(tmp_path) == [2, 3]


def test_a_failed_write_leaves_the_other_checkpoints(tmp_path, monkeypatch):
    save(tmp_path, checkpoint_at(1))

    def full_disk(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(checkpoint_module, "save_part", full_disk)
    with pytest.raises(OSError, match="no space"):
        save(tmp_path, checkpoint_at(2))
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000001"]


def test_what_a_killed_process_left_is_deleted_and_never_read(tmp_path):
    partial = tmp_path / "checkpoints" / ".step-00000009.part"
    partial.mkdir(parents=True)
    (partial / "weights.safetensors").write_bytes(b"half a file")
    assert steps_in(tmp_path) == []
    save(tmp_path, checkpoint_at(1))
    assert not partial.exists()


def test_a_damaged_checkpoint_is_an_error_with_a_fix(tmp_path):
    path = save(tmp_path, checkpoint_at(1))
    weights = path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-3])
    with pytest.raises(ModelFileError, match="delete it to resume from the one before"):
        load_checkpoint(path)


def test_another_version_of_the_format_is_an_error(tmp_path):
    path = save(tmp_path, checkpoint_at(1))
    state = json.loads((path / "state.json").read_text())
    (path / "state.json").write_text(json.dumps({**state, "format": 99}))
    with pytest.raises(ModelFileError, match="has the format 99; expected 1"):
        load_checkpoint(path)
