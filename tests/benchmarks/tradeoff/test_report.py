"""The report of a study that is not over."""

from pathlib import Path

import pytest
from PIL import Image

from benchmarks.tradeoff.configs import configure_denoiser
from benchmarks.tradeoff.evaluations import configure_pictures, configure_real, list_points
from benchmarks.tradeoff.models import MODELS
from benchmarks.tradeoff.report import write_report
from benchmarks.tradeoff.samples import draw_samples
from benchmarks.tradeoff.study import KEPT, MEASURED, Study


def keep_pictures(folder: Path) -> None:
    (folder / "pictures").mkdir()
    for number in range(KEPT):
        Image.new("RGB", (64, 64)).save(folder / "pictures" / f"{number:06d}.png")


def test_a_report_has_numbers_figures_pictures_and_logs(measured: Study, tmp_path: Path) -> None:
    model = MODELS[2]
    run = configure_denoiser(measured, model).out
    (run / "result").mkdir()
    for name in ("config.yaml", "log.jsonl"):
        (run / name).write_text(name)
    keep_pictures(configure_real(measured).out)
    folder = tmp_path / "report"
    write_report(measured, folder)
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    trainings = {f"trainings/denoisers/ldm-4{suffix}" for suffix in (".yaml", ".jsonl")}
    names = {"results.json", "tables.md", "progress.svg", "throughput.svg", "samples.webp"}
    assert found == names | trainings


@pytest.mark.parametrize(("is_over", "rows"), [(False, 1), (True, 2)])
def test_the_sheet_has_a_row_of_each_model_that_is_over(
    measured: Study, store, tmp_path: Path, is_over: bool, rows: int
) -> None:
    model = MODELS[2]
    (configure_denoiser(measured, model).out / "result").mkdir()
    keep_pictures(configure_real(measured).out)
    if is_over:
        config = configure_pictures(measured, model, *list_points(measured, model, MEASURED)[-1])
        store(config, 1.0)
        keep_pictures(config.out)
    draw_samples(measured, tmp_path / "samples.webp")
    with Image.open(tmp_path / "samples.webp") as sheet:
        tile = sheet.width / KEPT
        assert round(sheet.height / tile) == rows
