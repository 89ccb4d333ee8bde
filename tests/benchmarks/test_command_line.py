"""python -m benchmarks."""

import sys

import pytest

from benchmarks.__main__ import main
from benchmarks.cases import CASES, find_case
from benchmarks.harness.case import BenchmarkError
from benchmarks.harness.report import END, START
from benchmarks.harness.results import write_results


@pytest.fixture
def benchmarks(monkeypatch, capsys):
    """Run a command in this process: its exit status, and what it wrote to stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["benchmarks", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capsys.readouterr()

    return run


def test_names_of_cases_are_unique():
    assert len({case.name for case in CASES}) == len(CASES)


def test_an_unknown_case_is_an_error():
    with pytest.raises(BenchmarkError, match="case 'nowhere' not found; there are step-4m"):
        find_case("nowhere")


def test_a_report_and_a_comparison_are_written(benchmarks, tmp_path, make_result, make_results):
    pytest.importorskip("matplotlib")
    file = tmp_path / "results.json"
    write_results(file, make_results(make_result("a")))

    assert benchmarks("report", file)[0] == 0
    status, shown, _ = benchmarks("compare", file, file)

    assert "| Case a | speed over theirs |" in file.with_suffix(".md").read_text()
    assert file.with_suffix(".svg").is_file()
    assert status == 0
    assert "1.00x" in shown


def test_a_report_fills_a_page(benchmarks, tmp_path, make_result, make_results):
    pytest.importorskip("matplotlib")
    file, page = tmp_path / "results.json", tmp_path / "docs" / "speed.md"
    write_results(file, make_results(make_result("a")))
    page.parent.mkdir()
    page.write_text(f"# Speed\n\n{START}\n{END}\n")

    assert benchmarks("report", file, "--page", page)[0] == 0

    assert "images/speed.svg" in page.read_text()
    assert (page.parent / "images" / "speed.svg").is_file()


def test_a_wrong_file_is_one_line_and_exit_2(benchmarks, tmp_path):
    status, _, errors = benchmarks("compare", tmp_path / "a.json", tmp_path / "b.json")
    assert status == 2
    assert errors.count("\n") == 1
    assert "a.json: cannot be read" in errors
