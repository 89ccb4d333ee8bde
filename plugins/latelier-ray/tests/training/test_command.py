"""`latelier ray train` is `latelier train` by several processes."""

import json
import os
import signal
from types import SimpleNamespace

import psutil
import pytest
import torch
import yaml
from conftest import wait_until
from safetensors.torch import load_file

from latelier_ray.training.log import describe, show_log

STEPS = 24


@pytest.fixture
def write_config(tiny_training, tmp_path):
    """Write the configuration of a denoiser, and return its name."""

    def write(out, **changes):
        values = {
            **tiny_training,
            "out": out,
            "steps": STEPS,
            "batch_size": 4,
            "optimizer": {"lr": 0.01},
            "schedule": {"kind": "constant", "warmup": 0},
            "sheet_every": 1000,
            **changes,
        }
        (tmp_path / f"{out}.yaml").write_text(yaml.safe_dump(values))
        return f"{out}.yaml"

    return write


def weights_of(folder):
    return load_file(folder / "result" / "denoiser.safetensors")


def workers_of(process):
    """The processes of Ray Train that a command has started."""
    found = psutil.Process(process.pid).children(recursive=True)
    return [each for each in found if "RayTrainWorker" in " ".join(each.cmdline())]


def test_processes_train_the_model_of_one_also_after_one_is_killed(
    cli, start, write_config, tmp_path
):
    done = cli("train", "denoiser", write_config("alone"))
    assert done.status == 0, done.err
    config = write_config("together", checkpoint_seconds=0.01, log_every=1)
    process = start("ray", "train", "denoiser", config, "--workers", 2)
    log = tmp_path / "together" / "log.jsonl"
    wait_until(lambda: log.is_file() and '"step": 3' in log.read_text())
    os.kill(workers_of(process)[1].pid, signal.SIGKILL)
    out, err = process.communicate(timeout=300)

    assert process.returncode == 0, err
    assert out == "together/result\n"
    assert "resumed at step" in err
    assert f"step {STEPS}/{STEPS}  loss " in err
    alone, together = (weights_of(tmp_path / each) for each in ("alone", "together"))
    for name, weights in alone.items():
        torch.testing.assert_close(together[name], weights, rtol=1e-3, atol=1e-4)
    assert {each.name for each in tmp_path.iterdir()} == {
        "identity", "alone", "alone.yaml", "together", "together.yaml",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("denoisser", {}, "there is no training 'denoisser'. Did you mean 'denoiser'?"),
        ("denoiser", {"stepss": 3}, "stepss"),
        ("denoiser", {"first_stage": "nowhere"}, "nowhere"),
    ],
)
def test_bad_input_is_one_error_before_anything_starts(
    kind, changes, message, cli, write_config, tmp_path
):
    done = cli("ray", "train", kind, write_config("run", **changes), "--cluster", "nowhere:1")
    assert done.status == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_lines_of_the_log_are_shown_as_text():
    step = json.loads('{"step": 5, "loss": 0.25, "lr": 1e-06, "time": 3.0}')
    assert describe(step, 20) == "step 5/20  loss 0.25  lr 1e-06"
    validation = {"step": 20, "event": "validation", "ema": {"x0_error": 0.5}, "raw": {"a": 1.0}}
    assert describe(validation, 20) == "validation at step 20  x0_error 0.5"
    assert describe({"event": "resumed", "step": 5}, 20) == "resumed at step 5"


def test_half_a_line_of_a_killed_process_is_left_out(tmp_path, capsys):
    log = tmp_path / "log.jsonl"
    log.write_text('{"event": "sheet", "step": 0}\n')
    config = SimpleNamespace(out=tmp_path, steps=20)
    with show_log(config), log.open("a") as file:
        file.write('{"step": 5, "lo\n{"step": 10, "loss": 0.5}\n{"step": 15')
    assert capsys.readouterr().err == "step 10/20  loss 0.5\n"
