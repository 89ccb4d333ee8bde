"""The protocols that are committed, as they are and run small."""

from pathlib import Path

import pytest

from latelier.evaluation.protocol.config import read_evaluation
from latelier.evaluation.published.table import read_published
from latelier.evaluation.run.recording import Resources
from latelier.evaluation.run.run import run_evaluation
from latelier.kernel.default import default_atelier

FOLDER = Path(__file__).parents[3] / "configs" / "evaluation"
SMALL = {"pictures": 6, "reference.pictures": 8, "chunk_size": 6}


def list_protocols() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def test_the_tables_of_the_paper_have_a_protocol():
    assert list_protocols() == [
        "class", "first-stage", "inpainting", "layout", "super-resolution", "text", "unconditional",
    ]  # fmt: skip


@pytest.mark.parametrize("name", list_protocols())
def test_a_protocol_names_measures_that_exist_and_tables_with_their_figures(name):
    config = read_evaluation(FOLDER / f"{name}.yaml")
    measures = [default_atelier().measures.build(each.id, each.config) for each in config.measures]
    assert measures
    assert config.title
    for table in config.published:
        assert "frechet_distance" in read_published(table).columns


@pytest.mark.parametrize("name", list_protocols())
def test_a_protocol_runs_with_an_embedded_model(name, tmp_path):
    steps = {} if name == "first-stage" else {"generate.steps": 1}
    config = read_evaluation(FOLDER / f"{name}.yaml", {**SMALL, **steps, "out": tmp_path / "run"})
    results = run_evaluation(config, Resources())
    assert results is not None
    measures = {each.measure for each in results.figures}
    assert measures == {each.id for each in config.measures}
    assert results.pictures == 6
    page = (tmp_path / "run" / "results.md").read_text(encoding="utf-8")
    assert f"# {config.title}" in page
    assert "## Beside the paper: " in page


def test_a_model_that_was_not_trained_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = {"out": tmp_path / "run", "model": "runs/layout/result"}
    config = read_evaluation(FOLDER / "layout.yaml", values)
    with pytest.raises(LookupError, match="runs/layout/result"):
        run_evaluation(config, Resources())
