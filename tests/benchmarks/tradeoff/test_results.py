"""The numbers of the study: read from its evaluations, in tables and figures."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks.tradeoff.drawing import spread
from benchmarks.tradeoff.models import MODELS
from benchmarks.tradeoff.plot import plot_progress, plot_throughput
from benchmarks.tradeoff.results import Results, read_results
from benchmarks.tradeoff.study import MEASURED, SAMPLING_STEPS, Study
from benchmarks.tradeoff.tables import format_tables


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
    assert model.per_second == {4: 8.0, 8: 4.0, 16: 2.0, 32: 1.0, 64: 0.5}


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
