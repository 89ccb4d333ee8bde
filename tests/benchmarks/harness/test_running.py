"""A run writes each case when it is measured, and goes on where one ended."""

import pytest

from benchmarks.harness import running
from benchmarks.harness.case import BenchmarkError
from benchmarks.harness.results import read_results
from benchmarks.harness.running import find_missing, run_cases

MACHINE = {"processor": "a chip", "torch": "2.0"}


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    found = dict(MACHINE)
    monkeypatch.setattr(running, "describe_machine", lambda: found)
    return found


def test_a_run_goes_on_where_one_ended(tmp_path, make_result):
    out = tmp_path / "runs" / "results.json"

    def measure_until_b(name):
        if name == "b":
            raise KeyboardInterrupt
        return make_result(name)

    with pytest.raises(KeyboardInterrupt):
        run_cases(["a", "b", "c"], out, measure_until_b)

    assert find_missing(["a", "b", "c"], out, False) == ["b", "c"]
    run_cases(["b", "c"], out, make_result)
    assert list(read_results(out).cases) == ["a", "b", "c"]
    assert [each.name for each in out.parent.iterdir()] == ["results.json"]


def test_what_was_tried_or_skipped_is_missing_in_a_run(tmp_path, make_result):
    out = tmp_path / "results.json"
    run_cases(["a"], out, lambda name: make_result(name, is_quick=True))
    run_cases(["b"], out, lambda name: make_result(name, skipped="there is no GPU"))
    assert find_missing(["a", "b"], out, False) == ["a", "b"]
    assert find_missing(["a", "b"], out, True) == ["b"]


def test_a_case_that_fails_is_not_recorded_and_does_not_stop_the_others(tmp_path, make_result):
    out = tmp_path / "results.json"

    def measure(name):
        if name == "a":
            raise BenchmarkError("exit 1")
        return make_result(name)

    assert run_cases(["a", "b"], out, measure) == ["a: exit 1"]
    assert list(read_results(out).cases) == ["b"]


def test_a_named_case_is_measured_again(tmp_path, make_result):
    out = tmp_path / "results.json"
    run_cases(["a"], out, lambda name: make_result(name, value=1.0))
    run_cases(["a"], out, lambda name: make_result(name, value=2.0))
    assert read_results(out).cases["a"].goals[0].spread.median == 2.0


def test_a_file_of_another_machine_is_not_extended(tmp_path, make_result, machine):
    out = tmp_path / "results.json"
    run_cases(["a"], out, make_result)
    machine["torch"] = "3.0"
    with pytest.raises(BenchmarkError, match=r"torch '2\.0', and here it is '3\.0'.*--out"):
        run_cases(["b"], out, make_result)


@pytest.mark.parametrize("content", ["", "[]", '{"cases": {}}', "\xff"])
def test_another_file_is_an_error(tmp_path, content):
    out = tmp_path / "results.json"
    out.write_bytes(content.encode("latin-1"))
    with pytest.raises(BenchmarkError, match="is no file of"):
        read_results(out)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(BenchmarkError, match="cannot be read: No such file"):
        read_results(tmp_path / "results.json")
