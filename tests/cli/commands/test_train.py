"""Training through the command line: what is handed on, and what comes back."""

from pathlib import Path

import pytest

from latelier.training.loop import TrainingResult

CONFIG = """
out: run
steps: 3
first_stage: {id: autoencoder_kl, config: {ch: 8, num_groups: 4}}
"""


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Training in name only: returns what it was asked for."""
    calls = []

    def train(config, *, resume, atelier):
        calls.append((config, resume))
        return TrainingResult(3, finished=config.steps == 3, result=Path("run/result"))

    monkeypatch.setattr("latelier.training.first_stage.train_first_stage", train)
    (tmp_path / "config.yaml").write_text(CONFIG)
    return calls


@pytest.mark.parametrize(
    ("options", "resume"), [([], "auto"), (["--resume"], True), (["--fresh"], False)]
)
def test_the_configuration_and_resume_are_handed_on(cli, asked, options, resume):
    done = cli("train", "first-stage", "config.yaml", *options)
    assert (done.status, done.out) == (0, "run/result\n")
    ((config, how),) = asked
    assert (config.steps, config.out, how) == (3, Path("run"), resume)


def test_an_interrupted_run_says_so_by_its_status(cli, asked, tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG.replace("steps: 3", "steps: 4"))
    assert cli("train", "first-stage", "config.yaml").status == 130


def test_a_misspelt_field_is_named(cli, asked, tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG.replace("steps", "stepz"))
    done = cli("train", "first-stage", "config.yaml")
    assert done.status == 2
    assert "Did you mean 'steps'" in done.err


def test_training_without_its_extra_names_the_pip_line(cli, asked, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = cli("train", "first-stage", "config.yaml")
    assert (done.status, done.err) == (
        2,
        "error: training needs Lightning Fabric: pip install 'latelier[train]'\n",
    )
