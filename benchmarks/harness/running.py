"""A run: case after case, each in a process of its own, into one file."""

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.harness.case import BenchmarkError
from benchmarks.harness.machine import describe_machine
from benchmarks.harness.processes import call_benchmarks
from benchmarks.harness.results import CaseResult, Results, read_results, write_results

Measure = Callable[[str], CaseResult]
"""Measures the case of a name."""


def run_cases(
    names: Sequence[str],
    out: Path,
    measure: Measure,
    report: Callable[[CaseResult], None] = lambda _: None,
) -> list[str]:
    """Measure cases, and write the file after each of them.

    Cases of the file that are not named stay as they are.

    Returns:
        The names and errors of those that failed.

    Raises:
        BenchmarkError: the file is of another machine, or no file of results.
    """
    results = open_results(out)
    failures = []
    for name in names:
        try:
            result = measure(name)
        except BenchmarkError as error:
            failures.append(f"{name}: {error}")
            continue
        results.cases[name] = result
        write_results(out, results)
        report(result)
    return failures


def open_results(out: Path) -> Results:
    """Return the results that a file has so far.

    Raises:
        BenchmarkError: it is of another machine or other versions, or no file of results.
    """
    machine = describe_machine()
    if not out.exists():
        return Results(machine=machine)
    results = read_results(out)
    for name in machine.keys() | results.machine.keys():
        there, here = results.machine.get(name), machine.get(name)
        if there != here:
            raise BenchmarkError(
                f"{out}: was measured with {name} '{there}', and here it is '{here}'; give "
                "another file with --out"
            )
    return results


def find_missing(names: Sequence[str], out: Path, is_quick: bool) -> list[str]:
    """Return the cases that a file does not have yet, or has only skipped or tried.

    is_quick: whether cases that were tried are enough.
    """
    cases = read_results(out).cases.values() if out.exists() else ()
    done = {case.name for case in cases if not case.skipped and (is_quick or not case.is_quick)}
    return [name for name in names if name not in done]


def measure_in_process(name: str, is_quick: bool) -> CaseResult:
    """Return what a new process measures of a case.

    Raises:
        BenchmarkError: it fails.
    """
    options = ["--quick"] if is_quick else []
    return CaseResult.model_validate_json(call_benchmarks("measure", name, *options))
