"""The arguments and the result of training commands."""

from pathlib import Path

import pytest

from latelier.training.loop.run import TrainingResult

CONFIG = """
out: run
steps: 3
first_stage: {id: autoencoder_kl, config: {ch: 8, num_groups: 4}}
"""


@pytest.fixture
def training_calls(monkeypatch, tmp_path):
    """Replace the training by a record of its calls."""
    calls = []

    def run_training(plan, resume, atelier):
        calls.append((plan.config, resume))
        return TrainingResult(3, finished=plan.config.steps == 3, result=Path("run/result"))

    monkeypatch.setattr("latelier.training.loop.loop.run_training", run_training)
    (tmp_path / "config.yaml").write_text(CONFIG)
    return calls


@pytest.mark.parametrize(
    ("options", "resume"), [([], "auto"), (["--resume"], True), (["--fresh"], False)]
)
def test_configuration_and_resume_reach_the_training(cli, training_calls, options, resume):
    done = cli("train", "first-stage", "config.yaml", *options)
    assert (done.status, done.out) == (0, "run/result\n")
    ((config, how),) = training_calls
    assert (config.steps, config.out, how) == (3, Path("run"), resume)


def test_an_interrupted_run_has_the_status_130(cli, training_calls, tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG.replace("steps: 3", "steps: 4"))
    assert cli("train", "first-stage", "config.yaml").status == 130


def test_a_step_without_an_average_is_refused(cli, training_calls):
    done = cli("train", "first-stage", "config.yaml", "--at-step", "2")
    assert (done.status, done.out) == (2, "")
    assert "--at-step needs --average" in done.err
    assert not training_calls


def test_a_misspelt_field_is_named(cli, training_calls, tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG.replace("steps", "stepz"))
    done = cli("train", "first-stage", "config.yaml")
    assert done.status == 2
    assert "Did you mean 'steps'" in done.err


def test_training_without_its_extra_names_the_pip_command(cli, training_calls, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = cli("train", "first-stage", "config.yaml")
    assert (done.status, done.err) == (
        2,
        "error: training needs Lightning Fabric: pip install 'latelier[train]'\n",
    )


def test_a_dry_run_prints_what_a_training_costs_and_writes_nothing(cli, tmp_path):
    (tmp_path / "config.yaml").write_text(
        CONFIG.replace("steps: 3", "steps: 3\nbatch_size: 2\ndata: {config: {size: 16}}")
    )
    done = cli("train", "first-stage", "config.yaml", "--dry-run", "--find-batch")
    assert done.status == 0, done.err
    for words in ("GFLOP per sample", "MiB", "minutes per 1,000 steps", "largest micro-batch"):
        assert words in done.out
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]
