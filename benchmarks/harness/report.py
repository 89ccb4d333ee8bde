"""The report of a file of results, in Markdown."""

from collections.abc import Iterator
from statistics import median

from benchmarks.harness.case import BenchmarkError
from benchmarks.harness.formatting import format_bound, format_spread, format_value, round_to_three
from benchmarks.harness.results import CaseResult, GoalResult, Results

START, END = "<!-- benchmarks: written by `python -m benchmarks report` -->", "<!-- end -->"


def write_report(results: Results, picture: str) -> str:
    """Return the report: goals, the picture, the machine, and all measurements.

    picture: path of the plotted goals, as the page links to it.
    """
    parts = [
        "\n".join(make_goal_table(results)),
        f"![Measured values relative to their goals]({picture})",
        "\n".join(describe(results)),
        *("\n".join(make_case_section(case)) for case in results.cases.values()),
    ]
    return "\n\n".join(parts)


def replace_report(page: str, report: str, what: str) -> str:
    """Return a page with a new report between its two marks.

    Raises:
        BenchmarkError: the page has no marks.
    """
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise BenchmarkError(f"{what}: has no '{START}' with '{END}' after it")
    return f"{before}{START}\n\n{report}\n\n{END}{after}"


def make_goal_table(results: Results) -> Iterator[str]:
    """Yield the lines of the table of goals; a value that misses its goal is bold."""
    yield "| case | measured | goal | value | quartiles |"
    yield "|---|---|---|---|---|"
    for case in results.cases.values():
        for goal in filter(lambda goal: goal.has_bound, case.goals):
            cells = (format_bound(goal), _emphasize(goal), format_spread(goal.spread, goal.unit))
            yield f"| {case.title} | {goal.text} | {' | '.join(cells)} |"
        if case.skipped:
            yield f"| {case.title} | – | – | not measured: {case.skipped} | – |"


def describe(results: Results) -> Iterator[str]:
    """Yield the lines that say where and how the results were measured."""
    yield "| machine | |"
    yield "|---|---|"
    for name, fact in results.machine.items():
        yield f"| {name} | {fact} |"
    measured = [case for case in results.cases.values() if not case.skipped]
    yield f"| commit | {', '.join(sorted({case.commit for case in results.cases.values()}))} |"
    yield f"| date | {', '.join(sorted({case.date[:10] for case in results.cases.values()}))} |"
    for kernel in measured[0].ceilings if measured else ():
        speeds = [case.ceilings[kernel] for case in measured if kernel in case.ceilings]
        numbers = " to ".join(round_to_three(speed) for speed in (min(speeds), max(speeds)))
        yield f"| {kernel} | {round_to_three(median(speeds))} GFLOP/s ({numbers}) |"
    if quick := [case.name for case in measured if case.is_quick]:
        yield f"| only tried, in one round | {', '.join(quick)} |"


def make_case_section(case: CaseResult) -> Iterator[str]:
    """Yield the lines of what was measured of a case."""
    yield f"### {case.title}"
    yield ""
    if case.skipped:
        yield f"`{case.name}` was not measured: {case.skipped}."
        return
    rounds = len(next(iter(case.variants.values())).samples)
    busy = "" if case.others is None else f"; other processes used {case.others:.0%}"
    took = f"{rounds} rounds in {case.seconds:.0f} s{busy}"
    yield f"`python -m benchmarks run {case.name}`: {took}."
    yield ""
    has_outputs = any(each.relative_l2 is not None for each in case.variants.values())
    differences = " largest difference | relative L2 |" if has_outputs else ""
    yield f"| variant | median | quartiles |{differences}"
    yield "|---|---|---|" + "---|---|" * has_outputs
    for name, variant in case.variants.items():
        cells = [
            name,
            format_value(variant.spread.median, variant.unit),
            format_spread(variant.spread, variant.unit),
        ]
        if has_outputs:
            errors = (variant.max_abs, variant.relative_l2)
            cells += ["–" if each is None else f"{each:.1e}" for each in errors]
        yield f"| {' | '.join(cells)} |"
    if others := [goal for goal in case.goals if not goal.has_bound]:
        yield ""
    for goal in others:
        value = format_value(goal.spread.median, goal.unit)
        yield f"- {goal.text}: {value} ({format_spread(goal.spread, goal.unit)})"


def _emphasize(goal: GoalResult) -> str:
    text = format_value(goal.spread.median, goal.unit)
    return text if goal.is_met else f"**{text}**"
