"""python -m benchmarks."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cases import CASES, find_case
from benchmarks.harness.case import BenchmarkError
from benchmarks.harness.results import write_results

ROOT = Path(__file__).parents[2]


def benchmarks(*arguments):
    command = [sys.executable, "-m", "benchmarks", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_names_of_cases_are_unique():
    assert len({case.name for case in CASES}) == len(CASES)


def test_an_unknown_case_is_an_error():
    with pytest.raises(BenchmarkError, match="case 'nowhere' not found; there are step-4m"):
        find_case("nowhere")


def test_a_report_and_a_comparison_are_written(tmp_path, make_result, make_results):
    pytest.importorskip("matplotlib")
    file = tmp_path / "results.json"
    write_results(file, make_results(make_result("a")))

    done = benchmarks("report", file)

    assert done.returncode == 0, done.stderr
    assert "| Case a | speed over theirs |" in file.with_suffix(".md").read_text()
    assert file.with_suffix(".svg").is_file()
    assert "1.00x" in benchmarks("compare", file, file).stdout


def test_a_wrong_file_is_one_line_and_exit_2(tmp_path):
    done = benchmarks("compare", tmp_path / "a.json", tmp_path / "b.json")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "cannot be read" in done.stderr
