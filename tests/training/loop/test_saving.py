"""A full disk costs a checkpoint and never the run."""

import errno
import json
import shutil

import pytest

from latelier.contracts.errors import InvalidConfigError, TrainingError
from latelier.training.checkpoints import checkpoint as checkpoint_module
from latelier.training.checkpoints.checkpoint import list_checkpoints


def names_in(out):
    return [path.name for path in list_checkpoints(out / "checkpoints")]


@pytest.fixture
def full_disk(monkeypatch):
    """A disk that has no space for some checkpoints."""

    def fill(steps):
        write = checkpoint_module.save_part

        def save_part(folder, *arguments):
            if int(folder.name[6:-5]) in steps:
                raise OSError(errno.ENOSPC, "No space left on device")
            write(folder, *arguments)

        monkeypatch.setattr(checkpoint_module, "save_part", save_part)

    return fill


def test_a_full_disk_is_one_warning_and_training_goes_on(tmp_path, train_line, full_disk, capfd):
    full_disk({3, 4, 5})
    assert train_line(tmp_path, checkpoint_seconds=1e-9).finished
    shown = capfd.readouterr().err
    assert shown.count("cannot be written") == 1
    assert "No space left on device" in shown
    assert "the last checkpoint is" in shown
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [x["step"] for x in lines if x.get("event") == "checkpoint_failed"] == [3, 4, 5]
    assert names_in(tmp_path)[-2:] == ["step-00000007", "step-00000008"]


def test_a_full_disk_at_the_end_is_an_error_and_the_run_can_be_resumed(
    tmp_path, train_line, full_disk
):
    steps = {8}
    full_disk(steps)
    with pytest.raises(TrainingError, match=r"Free some space .* run the same command"):
        train_line(tmp_path, checkpoint_seconds=1e-9)
    steps.clear()
    assert names_in(tmp_path)[-1] == "step-00000007"
    assert train_line(tmp_path, checkpoint_seconds=1e-9).finished


def test_a_result_that_cannot_be_written_is_an_error_and_the_same_command_writes_it(
    tmp_path, train_line, monkeypatch
):
    def fail(path, tensors):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("latelier.training.evaluator.write_weights", fail)
        with pytest.raises(TrainingError, match=r"result cannot be written to .*run the same"):
            train_line(tmp_path)
    assert not (tmp_path / "result").exists()
    assert train_line(tmp_path).finished
    assert (tmp_path / "result").is_dir()


def test_curves_that_cannot_be_written_are_a_warning(tmp_path, train_line, monkeypatch, capfd):
    def fail(log, path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("latelier.training.loop.monitor.draw_curves", fail)
    assert train_line(tmp_path).finished
    assert "warning: the curves cannot be written" in capfd.readouterr().err


def test_a_folder_that_is_deleted_under_the_run_is_written_again(tmp_path, train_line, capfd):
    out = tmp_path / "run"

    class Deleting(dict):
        def get(self, position, default):
            if position == 9:
                shutil.rmtree(out)
            return default

    train_line(out, Deleting(any=None), checkpoint_seconds=1e-9)
    assert capfd.readouterr().err.count("was deleted or emptied") == 1
    assert names_in(out)[-1] == "step-00000008"
    with pytest.raises(InvalidConfigError, match="another batch_size"):
        train_line(out, batch_size=4)


def test_the_best_checkpoint_is_saved_when_it_is_measured_and_kept(tmp_path, train_line):
    targets = dict.fromkeys(range(12, 100), -9.0)  # the weight moves to 1 and then away from it
    train_line(tmp_path, targets, steps=12, validate_every=2, keep={"last": 1, "best": 1})
    assert names_in(tmp_path) == ["step-00000010", "step-00000012"]


def test_steps_at_an_interval_are_saved_and_kept(tmp_path, train_line):
    train_line(tmp_path, keep={"last": 1, "best": 0, "every": 3})
    assert names_in(tmp_path) == ["step-00000003", "step-00000006", "step-00000008"]
