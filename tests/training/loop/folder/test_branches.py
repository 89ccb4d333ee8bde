"""The ends that prolonged runs leave, each a folder of its own."""

from contextlib import suppress
from pathlib import Path

import pytest
import torch

from latelier.training.checkpoints.checkpoint import list_checkpoints, load_checkpoint
from latelier.training.configs.training import Training, read_training
from latelier.training.loop.folder import branches
from latelier.training.optimization.averages import average_snapshots

WSD = {"kind": "wsd", "warmup": 1, "decay": 0.5}


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def snapshots_at(*steps):
    return [f"step-{step:08d}.safetensors" for step in steps]


def weights_of(out):
    return load_checkpoint(list_checkpoints(out / "checkpoints")[-1]).weights


@pytest.fixture
def branch(tmp_path):
    """The branch of a run of 8 steps that is prolonged."""
    return tmp_path / "branches" / "step-00000008-of-8"


def test_the_decayed_end_of_the_shorter_run_stays(tmp_path, train_line, branch):
    train_line(tmp_path, schedule=WSD)
    short = weights_of(tmp_path)
    train_line(tmp_path, schedule=WSD, steps=12)
    assert set(names_in(branch)) - {"curves.png"} == {"checkpoints", "config.yaml", "result"}
    assert torch.equal(weights_of(branch)["weight"], short["weight"])
    assert (tmp_path / "result").is_dir()


def test_a_branch_is_a_run_in_its_own_folder(tmp_path, train_line, branch):
    train_line(tmp_path, schedule=WSD)
    for name in ("fixed.json", "assets/text/words.txt", "data/source-000.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    train_line(tmp_path, schedule=WSD, steps=12)
    config = read_training(branch / "config.yaml", Training)
    assert (config.steps, config.out) == (8, branch)
    assert train_line(branch, schedule=WSD).step == 8
    for name in ("fixed.json", "assets/text/words.txt", "data/source-000.jsonl"):
        assert (branch / name).read_text() == (tmp_path / name).read_text() == name


def test_results_of_other_averages_go_with_the_end(tmp_path, train_line, branch):
    train_line(tmp_path, schedule=WSD)
    for name in ("result-length-0.2", "results"):
        (tmp_path / name).mkdir()
    (tmp_path / "report-length-0.2.json").touch()
    train_line(tmp_path, schedule=WSD, steps=12)
    for name in ("result-length-0.2", "report-length-0.2.json"):
        assert (branch / name).exists()
        assert not (tmp_path / name).exists()
    assert (tmp_path / "results").is_dir()  # of the user


def test_a_branch_never_replaces_another(tmp_path, train_line, branch):
    branch.mkdir(parents=True)
    train_line(tmp_path, schedule=WSD)
    train_line(tmp_path, schedule=WSD, steps=16)
    assert names_in(tmp_path / "branches") == ["step-00000008-of-8", "step-00000008-of-8-2"]


@pytest.mark.parametrize("has_links", [True, False])
def test_a_branch_has_the_snapshots_of_its_whole_course(
    tmp_path, train_line, branch, has_links, monkeypatch
):
    changes = {"schedule": WSD, "ema": {"snapshots": 8}}
    train_line(tmp_path, **changes)
    before = average_snapshots(tmp_path / "snapshots", 0.07)["weight"]
    if not has_links:

        def refuse(source, target):
            raise PermissionError

        monkeypatch.setattr(branches.os, "link", refuse)
    train_line(tmp_path, **changes, steps=16)
    assert names_in(tmp_path / "snapshots") == snapshots_at(1, 2, 3, 4, 6, 8, 10, 12, 14, 16)
    assert names_in(branch / "snapshots") == snapshots_at(*range(1, 9))
    assert torch.equal(average_snapshots(branch / "snapshots", 0.07)["weight"], before)


@pytest.fixture
def prolong_and_kill(tmp_path, train_line, monkeypatch):
    """Prolongs a run from 8 to 16 steps, and stops before a later change of a name."""

    def run(count, **changes):
        left = [count]

        def until_killed(function):
            def call(*arguments):
                if left[0] == 0:
                    raise KeyboardInterrupt
                left[0] -= 1
                return function(*arguments)

            return call

        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", until_killed(Path.rename))
            patch.setattr(branches.os, "link", until_killed(branches.os.link))
            with suppress(KeyboardInterrupt):
                train_line(tmp_path, **changes, steps=16)

    return run


@pytest.mark.parametrize("steps", [8, 16])
@pytest.mark.parametrize("count", range(1, 7))
def test_the_next_start_repairs_what_a_kill_left(
    tmp_path, train_line, prolong_and_kill, branch, count, steps
):
    changes = {"schedule": WSD, "ema": {"snapshots": 4}, "sheet_weights": []}
    train_line(tmp_path, **changes)
    (tmp_path / "curves.png").unlink(missing_ok=True)  # not everywhere
    prolong_and_kill(count, **changes)
    assert train_line(tmp_path, **changes, steps=steps).step == steps
    assert names_in(tmp_path / "branches") == [branch.name]
    assert names_in(branch) == ["checkpoints", "config.yaml", "result", "snapshots"]
    assert names_in(branch / "snapshots") == snapshots_at(2, 4, 6, 8)
    assert "steps: 8\n" in (branch / "config.yaml").read_text()
    assert (tmp_path / "result").is_dir()
