import pytest
import torch

from latelier.contracts.errors import ModelFileError
from latelier.training.loop import checkpoint as checkpoint_module
from latelier.training.loop.checkpoint import (
    Checkpoint,
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
)


def checkpoint_at(step: int) -> Checkpoint:
    tensors = {"a": torch.full((2, 2), float(step))}
    return Checkpoint(step, tensors, tensors, {"a/step": torch.tensor(step)}, {"ema_updates": step})


def test_a_checkpoint_is_read_back(tmp_path):
    path = save_checkpoint(tmp_path, checkpoint_at(3))
    loaded = load_checkpoint(path)
    assert (loaded.step, loaded.state) == (3, {"ema_updates": 3})
    assert torch.equal(loaded.weights["a"], torch.full((2, 2), 3.0))
    assert loaded.optimizer["a/step"].item() == 3


def test_the_last_two_are_kept(tmp_path):
    for step in (1, 2, 10):
        save_checkpoint(tmp_path, checkpoint_at(step))
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step-00000002", "step-00000010"]


def test_a_failed_write_leaves_the_other_checkpoints(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, checkpoint_at(1))

    def full_disk(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(checkpoint_module, "save_file", full_disk)
    with pytest.raises(OSError, match="no space"):
        save_checkpoint(tmp_path, checkpoint_at(2))
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step-00000001"]


def test_a_damaged_checkpoint_is_an_error_with_a_fix(tmp_path):
    path = save_checkpoint(tmp_path, checkpoint_at(1))
    weights = path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-3])
    with pytest.raises(ModelFileError, match="delete it to resume from the one before"):
        load_checkpoint(path)
