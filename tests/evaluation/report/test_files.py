"""The files of a report."""

import csv
import json
from dataclasses import replace

from latelier.evaluation.report.files import write_comparison, write_report


def test_the_files_say_the_same(results, published, tmp_path):
    paths = write_report(results, tmp_path / "new", [published])
    assert [path.name for path in paths] == ["results.json", "results.csv", "results.md"]
    stored = json.loads(paths[0].read_text())
    assert stored["provenance"] == {"seed": 7}
    assert stored["figures"][0] == {
        "measure": "frechet_distance",
        "network": "scene detector of latelier (not Inception)",
        "name": "frechet_distance",
        "title": "Fréchet distance",
        "value": 12.3456,
        "better": "lower",
        "low": 12.0,
        "high": 12.75,
        "unit": "",
        "note": "",
        "count": 5000,
    }
    with paths[1].open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [(each["model"], each["name"], each["value"], each["low"]) for each in lines] == [
        ("emoji-scenes", "frechet_distance", "12.3456", "12.0"),
        ("emoji-scenes", "psnr", "24.0", ""),
    ]
    assert "## Beside the paper: Pictures of something" in paths[2].read_text(encoding="utf-8")


def test_results_that_are_written_again_replace_the_former(results, tmp_path):
    write_report(results, tmp_path)
    write_report(results, tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_comparison_has_all_runs(results, tmp_path):
    results = replace(results, settings={"seeds": "0 to 9"})
    second = replace(results, model="another", figures=results.figures[:1])
    paths = write_comparison([results, second], tmp_path)
    stored = json.loads(paths[0].read_text())
    assert [run["model"] for run in stored["runs"]] == ["emoji-scenes", "another"]
    with paths[1].open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [each["model"] for each in lines] == ["emoji-scenes", "emoji-scenes", "another"]
    page = paths[2].read_text(encoding="utf-8")
    assert page.startswith("# emoji-scenes and another\n\n5,000 pictures of each.\n")
    assert "| PSNR ↑ | 24 dB | - |" in page
    assert "| seeds | 0 to 9 |" in page
