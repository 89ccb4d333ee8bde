"""The command line: run, compare, report."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.harness.case import BenchmarkError, Setup, SkipError
from benchmarks.harness.comparison import compare as compare_results
from benchmarks.harness.formatting import format_bound, format_spread, format_value
from benchmarks.harness.plot import plot
from benchmarks.harness.report import replace_report, write_report
from benchmarks.harness.results import CaseResult, read_results
from benchmarks.harness.running import find_missing, measure_in_process, run_cases

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__
)
console = Console()

OUT = Path("runs/benchmarks.json")
Quick = Annotated[bool, typer.Option("--quick", help="Try the cases, in one round.")]
File = Annotated[Path, typer.Argument(help="A file of `run`.")]


@app.command("list")
def list_cases() -> None:
    """List the cases."""
    from benchmarks.cases import CASES

    table = Table("case", "what it compares", box=None)
    for case in CASES:
        table.add_row(case.name, case.title)
    console.print(table)


@app.command()
def run(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Cases to measure, again if the file has them; all that it lacks if none."
        ),
    ] = None,
    quick: Quick = False,
    out: Annotated[Path, typer.Option("--out", help="JSON file; it is extended.")] = OUT,
) -> None:
    """Measure cases, each in a process of its own, and write them to a file one by one."""
    from benchmarks.cases import CASES, find_case

    chosen = [find_case(name).name for name in names or ()]
    if not chosen:
        chosen = find_missing([case.name for case in CASES], out, quick)
    failures = run_cases(chosen, out, lambda name: measure_in_process(name, quick), show)
    console.print(f"written: {out}")
    if failures:
        raise BenchmarkError("\n".join(failures))


@app.command()
def compare(first: File, second: File) -> None:
    """Show what each variant of SECOND takes of what it takes in FIRST."""
    table = Table("case", "variant", "first", "second", "ratio", "quartiles", box=None)
    for change in compare_results(read_results(first), read_results(second)):
        values = (format_value(each, change.unit) for each in (change.before, change.after))
        style = "bold" if change.is_resolved and change.unit != "GFLOP/s" else ""
        ratio = format_value(change.ratio.median, "x")
        cells = (change.case, change.variant, *values, ratio, format_spread(change.ratio, "x"))
        table.add_row(*cells, style=style)
    console.print(table)


@app.command()
def report(
    file: File,
    page: Annotated[
        Path | None,
        typer.Option(help="A Markdown page with marks, and images/ beside it, to write into."),
    ] = None,
) -> None:
    """Write the goals beside what was measured, and a picture: FILE as .md and .svg, or a page."""
    results = read_results(file)
    if page is None:
        target, picture = file.with_suffix(".md"), file.with_suffix(".svg")
        text = f"# Benchmarks\n\n{write_report(results, picture.name)}\n"
    else:
        target, picture = page, page.parent / "images" / f"{page.stem}.svg"
        new = write_report(results, f"images/{picture.name}")
        text = replace_report(read_page(page), new, str(page))
    plot(results, picture)
    target.write_text(text, encoding="utf-8")
    console.print(f"written: {target}, {picture}")


@app.command(hidden=True)
def measure(name: str, quick: Quick = False) -> None:
    """Measure a case in this process; print it as JSON."""
    from benchmarks.cases import find_case
    from benchmarks.harness.measuring import measure as measure_case

    result = measure_case(find_case(name), quick)
    print(result.model_dump_json(exclude_none=True))


@app.command(hidden=True)
def peak(name: str, variant: str) -> None:
    """Print the peak memory of a variant's second call, in MiB."""
    from contextlib import ExitStack

    from benchmarks.cases import find_case
    from benchmarks.harness.memory import measure_peak

    with ExitStack() as stack:
        chosen = find_case(name).variants(Setup(stack))[variant]
        print(measure_peak(chosen.take))


def read_page(page: Path) -> str:
    try:
        return page.read_text(encoding="utf-8")
    except OSError as error:
        raise BenchmarkError(f"{page}: cannot be read: {error.strerror}") from None


def show(result: CaseResult) -> None:
    """Print what was measured of a case."""
    busy = "" if not result.others else f"; other processes used {result.others:.0%}"
    console.print(f"[bold]{result.title}[/] ({result.name}){busy}")
    if result.skipped:
        console.print(f"  skipped: {result.skipped}")
    for name, variant in result.variants.items():
        spread = format_spread(variant.spread, variant.unit)
        error = "" if variant.relative_l2 is None else f", relative L2 {variant.relative_l2:.1e}"
        value = format_value(variant.spread.median, variant.unit)
        console.print(f"  {name}: {value} ({spread}){error}", highlight=False)
    for goal in result.goals:
        value = format_value(goal.spread.median, goal.unit)
        verdict = "" if goal.is_met else " [bold red]missed[/]"
        bound = format_bound(goal)
        console.print(f"  {goal.text}: {value}, goal {bound}{verdict}", highlight=False)


def main() -> None:
    """Run the command line; a wrong name or file is one line on stderr, and exit 2."""
    try:
        app()
    except (BenchmarkError, SkipError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
