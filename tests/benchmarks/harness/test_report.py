"""The report has goals beside values, with what is missed in bold."""

import pytest

from benchmarks.harness.case import BenchmarkError
from benchmarks.harness.plot import find_marks, plot
from benchmarks.harness.report import END, START, replace_report, write_report


def test_a_missed_goal_is_bold_and_a_skipped_case_says_why(make_result, make_results):
    results = make_results(
        make_result("met", value=3.0),
        make_result("missed", value=2.0),
        make_result("later", skipped="there is no GPU").model_copy(update={"goals": []}),
    )
    lines = write_report(results, "goals.svg").splitlines()
    head = "speed over theirs | at least 2.80x"
    assert f"| Case met | {head} | 3.00x | 2.50x to 3.50x |" in lines
    assert f"| Case missed | {head} | **2.00x** | 1.50x to 2.50x |" in lines
    assert "| Case later | – | – | not measured: there is no GPU | – |" in lines
    assert "| ours | 2.00 s | 1.50 s to 2.50 s |" in lines
    assert "| processor | a chip |" in lines
    assert "| bf16 product | 800 GFLOP/s (800 to 800) |" in lines


def test_a_report_replaces_what_is_between_the_marks():
    page = f"# Speed\n\n{START}\nold\n{END}\n\nMore.\n"
    assert replace_report(page, "new", "a.md") == f"# Speed\n\n{START}\n\nnew\n\n{END}\n\nMore.\n"


def test_a_page_without_marks_is_an_error():
    with pytest.raises(BenchmarkError, match=r"a\.md: has no"):
        replace_report("# Speed\n", "new", "a.md")


def test_a_picture_shows_values_relative_to_their_goals(make_result, make_results, tmp_path):
    pytest.importorskip("matplotlib")
    results = make_results(make_result("met", value=5.6), make_result("missed", value=1.4))
    assert [mark.share for mark in find_marks(results)] == [2.0, 0.5]
    plot(results, tmp_path / "goals.svg")
    first = (tmp_path / "goals.svg").read_bytes()
    plot(results, tmp_path / "goals.svg")
    assert first.startswith(b"<?xml")
    assert (tmp_path / "goals.svg").read_bytes() == first
