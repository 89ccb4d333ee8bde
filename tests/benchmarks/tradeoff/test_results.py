"""The numbers of the study: read from its evaluations, in tables and figures."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks.tradeoff.configs import configure_denoiser
from benchmarks.tradeoff.drawing import spread
from benchmarks.tradeoff.evaluations import (
    configure_pictures,
    configure_real,
    configure_reconstructions,
    list_points,
    results_file,
)
from benchmarks.tradeoff.models import MODELS
from benchmarks.tradeoff.plot import plot_progress, plot_throughput
from benchmarks.tradeoff.results import Results, read_results
from benchmarks.tradeoff.study import MEASURED, SAMPLING_STEPS, Study
from benchmarks.tradeoff.tables import format_tables
from benchmarks.tradeoff.throughput import throughput_file
from latelier.evaluation.protocol.config import EvaluationConfig
from latelier.training.step_names import step_name

NAMES = ("frechet_distance", "first_choice", "psnr", "ssim", "scene_distance")


def store(config: EvaluationConfig, value: float) -> None:
    """Write results whose figures all have one value."""
    figures = [{"name": name, "value": value, "low": None, "high": value + 1} for name in NAMES]
    path = results_file(config)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"figures": figures}))


@pytest.fixture
def measured(study: Study) -> Study:
    """A study with the results of one model, whose last point is missing."""
    model = MODELS[2]
    snapshots = configure_denoiser(study, model).out / "snapshots"
    snapshots.mkdir(parents=True)
    for step in range(1, 17):
        (snapshots / f"{step_name(step)}.safetensors").touch()
    store(configure_real(study), 0.5)
    store(configure_reconstructions(study, model), 2.0)
    for step, steps in list_points(study, model, MEASURED)[:-1]:
        store(configure_pictures(study, model, step, steps), 100 * step + steps)
    throughput_file(study, model).write_text(json.dumps({"4": 8.0, "8": 5.5}))
    return study


def test_results_are_those_of_the_evaluations_that_are_over(measured: Study) -> None:
    results = read_results(measured)
    assert results.real.frechet.value == 0.5
    (model,) = results.models
    assert model.name == "ldm-4"
    assert model.numbers == 4 * 16 * 16
    assert (model.reconstruction.psnr.value, model.reconstruction.psnr.high) == (2.0, 3.0)
    assert [point.step for point in model.progress] == list(MEASURED)
    assert [point.frechet.value for point in model.progress] == [100 * k + 16 for k in MEASURED]
    assert [point.sampling_steps for point in model.sampling] == list(SAMPLING_STEPS[:-1])
    assert model.per_second == {4: 8.0, 8: 5.5}


def test_results_are_read_as_they_were_written(results: Results) -> None:
    assert Results.model_validate_json(json.dumps(results.model_dump())) == results


def test_tables_have_a_row_for_each_model(results: Results) -> None:
    text = format_tables(results)
    first_stage = "0.333 (0.3 to 0.367) | exact | 0.900 | 0.1000 | 90 |"
    assert f"| none (pixels) | 1 | 100 | {first_stage}" in text
    model = "12.1 (10.9 to 13.3) | 96.9 (87.2 to 107) | 64 | 1.00 |"
    assert f"| LDM-VQ-8 | 44 | 0.001 | 528,000 | {model}" in text
    assert "| f8 KL | 4 channels | 0.9 | 24.19 | 0.69 |" in text
    assert text.count("| LDM-") == len(MODELS)


@pytest.mark.parametrize("plot", [plot_progress, plot_throughput])
def test_figures_are_svg_for_both_backgrounds(plot, results: Results, tmp_path: Path) -> None:
    plot(results, tmp_path / "figure.svg")
    plot(results, tmp_path / "again.svg")
    text = (tmp_path / "figure.svg").read_text()
    ET.fromstring(text)
    assert "prefers-color-scheme: dark" in text
    assert all(f"<!-- {model.name.upper()} -->" in text for model in MODELS)
    assert text == (tmp_path / "again.svg").read_text()


@pytest.mark.parametrize("plot", [plot_progress, plot_throughput])
def test_figures_of_an_unfinished_study_are_drawn(plot, results: Results, tmp_path: Path) -> None:
    models = [each.model_copy(update={"progress": (), "sampling": ()}) for each in results.models]
    plot(results.model_copy(update={"models": tuple(models)}), tmp_path / "figure.svg")
    assert (tmp_path / "figure.svg").exists()


@pytest.mark.parametrize(
    ("heights", "placed"),
    [
        ([0.1, 0.5, 0.9], [0.1, 0.5, 0.9]),
        ([0.5, 0.5], [0.45, 0.55]),
        ([0.0, 0.02, 0.05], [0.0, 0.1, 0.2]),
        ([0.3, 0.41, 0.42], [0.276667, 0.376667, 0.476667]),
    ],
)
def test_labels_that_are_too_near_move_apart(heights: list[float], placed: list[float]) -> None:
    assert spread(heights, 0.1) == pytest.approx(placed, abs=1e-6)
