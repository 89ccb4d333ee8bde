"""The folder of a run: locked while it trains, and never overwritten by another run."""

import json
import os
import subprocess
import sys

import pytest
from safetensors.torch import save_file

from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.training.configs.training import Training
from latelier.training.loop.run import open_run

HOLD = """
import sys
from latelier.training.configs.training import Training
from latelier.training.loop.run import open_run
with open_run(Training(out=sys.argv[1], steps=1, accelerator="cpu"), False):
    print("open", flush=True)
    sys.stdin.read()
"""


def open_once(out, **changes):
    config = {"out": out, "steps": 1, "accelerator": "cpu", **changes}
    with open_run(Training.model_validate(config), "auto") as run:
        return run


@pytest.mark.skipif(os.name == "nt", reason="folders have no locks there")
def test_two_processes_do_not_train_in_one_folder(tmp_path):
    out = tmp_path / "run"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout.readline() == b"open\n"
    with pytest.raises(InvalidConfigError, match=r"out: another process trains in .*run; wait"):
        open_once(out)
    other.kill()
    other.communicate()
    assert open_once(out).checkpoint is None


def test_a_configuration_of_the_user_is_not_overwritten(tmp_path):
    (tmp_path / "config.yaml").write_text("out: .  # mine\n")
    with pytest.raises(InvalidConfigError, match=r"config\.yaml was not written by a run"):
        open_once(tmp_path)
    assert (tmp_path / "config.yaml").read_text() == "out: .  # mine\n"
    (tmp_path / "config.yaml").unlink()
    open_once(tmp_path)
    assert open_once(tmp_path).checkpoint is None  # what a run without a step left is overwritten


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path):
    left = ".0123456789abcdef.part"
    others = (".part", ".mine.part", "sheets/step-00000000.png", ".git/.0123456789abcdef.part")
    for name in (left, f"sheets/{left}", f"snapshots/{left}", *others):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    open_once(tmp_path)
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"config.yaml", *others}


def test_a_run_of_another_kind_is_an_error(tmp_path, train_line):
    train_line(tmp_path, steps=2)
    with (tmp_path / "config.yaml").open("a") as file:
        file.write("drop_all: 0.1\n")
    with pytest.raises(InvalidConfigError, match="holds a run of another kind or version"):
        train_line(tmp_path, steps=2)


@pytest.mark.parametrize(
    "changes", [{"faults": "x"}, {"loss_scale": None, "faults": {}}, {"ema_updates": "many"}]
)
def test_a_checkpoint_with_damaged_values_is_an_error(tmp_path, train_line, changes):
    train_line(tmp_path, steps=2)
    path = tmp_path / "checkpoints" / "step-00000002" / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(ModelFileError, match="step-00000002 cannot be read"):
        train_line(tmp_path, steps=2)


def test_a_checkpoint_without_the_state_of_the_optimizer_is_an_error(tmp_path, train_line):
    train_line(tmp_path, steps=2)
    for path in (tmp_path / "checkpoints" / "step-00000002").glob("optimizer*.safetensors"):
        save_file({}, path)
    with pytest.raises(ModelFileError, match="the state of the optimizer is empty"):
        train_line(tmp_path, steps=2)


@pytest.mark.parametrize(("warmup", "said"), [(2, True), (1, False)])
def test_a_warm_up_as_long_as_the_run_is_said(tmp_path, train_line, capfd, warmup, said):
    train_line(tmp_path, steps=2, schedule={"kind": "wsd", "warmup": warmup})
    assert ("the peak of the learning rate is never reached" in capfd.readouterr().err) == said


def test_a_batch_that_cannot_be_split_is_an_error_before_anything_is_written(tmp_path):
    with pytest.raises(InvalidConfigError, match="batch_size: 10 cannot be split evenly"):
        open_once(tmp_path / "run", batch_size=10, accumulate=4)
    assert not (tmp_path / "run").exists()


def test_more_devices_than_the_machine_has_are_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(InvalidConfigError, match="devices: expected at most 1"):
        open_once(tmp_path / "run", accelerator="cuda", devices=4)
    assert not (tmp_path / "run").exists()


def test_tensorboard_without_its_package_is_an_error_with_a_fix(tmp_path, monkeypatch):
    monkeypatch.setattr("latelier.training.monitoring.tensorboard.find_spec", lambda name: None)
    with pytest.raises(InvalidConfigError, match=r"pip install 'latelier\[tensorboard\]'"):
        open_once(tmp_path / "run", tensorboard=True)
    assert not (tmp_path / "run").exists()


def test_what_does_not_change_the_weights_may_change_on_resuming(tmp_path, train_line):
    train_line(tmp_path, steps=2)
    changed = {"steps": 4, "accumulate": 2, "log_every": 3, "keep": {"last": 5}, "workers": 1}
    assert train_line(tmp_path, **changed).step == 4
    with pytest.raises(InvalidConfigError, match="has another batch_size"):
        train_line(tmp_path, batch_size=4)


def test_a_checkpoint_of_another_model_is_an_error(tmp_path, train_line, monkeypatch):
    train_line(tmp_path, steps=2)
    from latelier.training.checkpoints import checkpoint as checkpoint_module

    load = checkpoint_module.load_tensors

    def load_others(path, group):
        return {
            name: tensor.repeat(2, 2) for name, tensor in load(path, group).items() if tensor.ndim
        }

    monkeypatch.setattr(checkpoint_module, "load_tensors", load_others)
    with pytest.raises(
        ModelFileError, match=r"one of another model: expected 'weight' of the shape"
    ):
        train_line(tmp_path, steps=3)
