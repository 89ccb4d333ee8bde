"""`latelier samplers`: list samplers, show their options, compare them, tune schedules."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latelier.cli.options.sampling_problems import (
    MIXTURE,
    count_exact_steps,
    count_starting_points,
    make_problem,
)
from latelier.cli.support.lazy import LightTyper
from latelier.cli.support.output import AsJson, show_columns, show_fields, show_json, show_line

if TYPE_CHECKING:
    from latelier.evaluation.sampling.comparison import Measurement
    from latelier.kernel.atelier import Atelier

_TUNING_SEED = 1_000_000
"""Seed of the first starting point for tuning; those of `compare` begin at 0."""

_PLOT = "errors.svg"

app = LightTyper(help="List samplers, show their options, and compare them.")

Seeds = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="COUNT",
        help="Number of starting points. By default 64, or 8 on a model.",
    ),
]

Conditions = Annotated[
    list[str] | None,
    typer.Option(
        "--condition",
        metavar="NAME=VALUE|NAME=@FILE",
        help="A condition of the model. Repeatable.",
    ),
]

GuidanceText = Annotated[
    str | None, typer.Option(metavar="SCALE|NAME[:KEY=VALUE,...]", help="Guidance of the model.")
]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the installed samplers with their traits and the plugin of each."""
    from latelier.cli.support.application import load_atelier

    rows: list[dict[str, Any]] = [
        {
            "name": spec.name,
            "id": spec.id,
            "summary": spec.summary,
            **(spec.traits.model_dump() if spec.traits else {}),
        }
        for spec in load_atelier().samplers.specs()
    ]
    if as_json:
        show_json(rows)
        return
    show_columns(
        ("SAMPLER", "ORDER", "NFE PER STEP", "STOCHASTIC", "FROM"),
        [
            (
                row["name"],
                str(row.get("order") or ""),
                str(row.get("nfe_per_step") or ""),
                "yes" if row.get("stochastic") else "",
                row["id"].partition("/")[0],
            )
            for row in rows
        ],
    )


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(help="A sampler, schedule, guidance rule or acceleration.")
    ],
    as_json: AsJson = False,
) -> None:
    """Show a sampler, schedule, guidance rule or acceleration with its options."""
    from latelier.cli.support.application import load_atelier
    from latelier.cli.support.functions import describe_options, find_functions

    found = find_functions(name, load_atelier())
    if as_json:
        show_json([each.model_dump(mode="json") for each in found])
        return
    for each in found:
        texts = [("", each.summary), ("", each.about)]
        traits = [("version", each.version), *each.traits.items()]
        show_fields([(each.kind, each.id), *texts, *traits])
        options = describe_options(each)
        if options:
            show_columns(("OPTION", "DEFAULT", "MEANING"), options)
        else:
            show_line("It takes no options.")


@app.command()
def compare(
    on: Annotated[
        str,
        typer.Option(
            metavar="mixture|MODEL", help="A mixture of Gaussians, solved exactly, or a model."
        ),
    ] = MIXTURE,
    sampler: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:KEY=VALUE,...]", help="Repeatable. By default the deterministic ones."
        ),
    ] = None,
    schedule: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[:KEY=VALUE,...]", help="Repeatable. By default karras."),
    ] = None,
    nfe: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            metavar="CALLS",
            help="Number of model calls. Repeatable. By default 5 8 10 15 20 50.",
        ),
    ] = None,
    seeds: Seeds = None,
    condition: Conditions = None,
    guidance: GuidanceText = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="Write errors.csv and errors.svg to it."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure the error of samplers by NFE, the number of model calls.

    The exact solution is that of 1,000 steps of Heun's method, or of 200 on a model. The error is
    the mean of the relative L2 errors of all starting points.
    """
    from latelier.cli.options.values import read_named_options
    from latelier.cli.support.application import load_atelier
    from latelier.cli.support.progress import spinner
    from latelier.evaluation.sampling.comparison import measure_samplers, solve_exactly
    from latelier.pipeline.request import NamedOptions

    if output is not None:
        _warn_of_plot(output)
    atelier = load_atelier()
    samplers = [
        NamedOptions.model_validate(read_named_options(text, "--sampler")) for text in sampler or ()
    ]
    schedules = [
        NamedOptions.model_validate(read_named_options(text, "--schedule"))
        for text in schedule or ("karras",)
    ]
    points = range(seeds or count_starting_points(on))
    problem = make_problem(on, points, condition or (), guidance, atelier)
    with spinner("comparing") as report:
        report("the exact solution")
        exact = solve_exactly(problem, atelier, count_exact_steps(on))
        found = list(
            measure_samplers(
                problem,
                exact,
                samplers or deterministic_samplers(atelier),
                schedules,
                sorted(nfe or (5, 8, 10, 15, 20, 50)),
                atelier,
                report,
            )
        )
    _show(found, as_json)
    if output is not None:
        _write(found, output)


@app.command()
def tune(
    on: Annotated[str, typer.Argument(metavar="mixture|MODEL", help="What to tune for.")],
    steps: Annotated[int, typer.Option(min=2, metavar="COUNT", help="Steps of the schedule.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE.json", help="Write the schedule to it.")
    ],
    sampler: Annotated[
        str, typer.Option(metavar="NAME[:KEY=VALUE,...]", help="Sampler to tune for.")
    ] = "dpmpp_2m",
    seeds: Seeds = None,
    condition: Conditions = None,
    guidance: GuidanceText = None,
    starts: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="COUNT",
            help="How many of the best known schedules to start from. More find a lower error, "
            "at proportional cost.",
        ),
    ] = 1,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Find the sigmas that give a sampler its smallest error on a model.

    Use the file as `latelier generate --schedule @FILE.json --steps COUNT`. A schedule that is
    tuned to one condition and guidance suits similar ones too.
    """
    from latelier.cli.options.values import read_named_options
    from latelier.cli.support.application import load_atelier
    from latelier.cli.support.destinations import check_destination, save
    from latelier.cli.support.progress import spinner
    from latelier.evaluation.sampling.comparison import make_sampler, solve_exactly
    from latelier.evaluation.sampling.tuning import make_starting_grids, tune_schedule
    from latelier.io.atomic import write_json
    from latelier.pipeline.request import NamedOptions

    check_destination(output, force=force)
    atelier = load_atelier()
    chosen = make_sampler(
        NamedOptions.model_validate(read_named_options(sampler, "--sampler")), atelier
    )
    count = seeds or count_starting_points(on)
    points = range(_TUNING_SEED, _TUNING_SEED + count)
    problem = make_problem(on, points, condition or (), guidance, atelier)
    with spinner("tuning") as report:
        report("the exact solution")
        exact = solve_exactly(problem, atelier, count_exact_steps(on))
        known = make_starting_grids(problem, steps, atelier)
        grid, error = tune_schedule(problem, chosen, known, exact, followed=starts, report=report)
    schedule = {"name": "fixed", "options": {"sigmas": list(grid.sigmas)}}
    save(lambda path, replace: write_json(path, schedule, replace=replace), output, force=force)
    show_line(f"{output}: error {error:.4g}")


def deterministic_samplers(atelier: "Atelier") -> list[Any]:
    """Return the deterministic samplers that generate at a known number of calls per step."""
    from latelier.pipeline.request import NamedOptions

    specs = [(spec, spec.traits) for spec in atelier.samplers.specs()]
    return [
        NamedOptions(name=spec.name)
        for spec, traits in specs
        if not (
            traits and (traits.stochastic or traits.is_inversion or traits.nfe_per_step is None)
        )
    ]


def _show(found: "list[Measurement]", as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        show_json([asdict(each) for each in found])
        return
    budgets = sorted({each.budget for each in found})
    lines: dict[tuple[str, str], dict[int, float]] = {}
    for each in found:
        lines.setdefault((each.sampler, each.schedule), {})[each.budget] = each.error
    ordered = sorted(lines.items(), key=lambda line: line[1].get(budgets[-1], float("inf")))
    show_columns(
        ("SAMPLER", "SCHEDULE", *(f"{budget} NFE" for budget in budgets)),
        [
            (*names, *(f"{errors[b]:.2e}" if b in errors else "" for b in budgets))
            for names, errors in ordered
        ],
    )


def _warn_of_plot(folder: Path) -> None:
    """Say that the plot will be missing, before the measurements take their time."""
    from latelier.evaluation.sampling.plot import NO_MATPLOTLIB, is_available

    if not is_available():
        typer.echo(f"warning: {folder / _PLOT} will not be written: {NO_MATPLOTLIB}", err=True)


def _write(found: "list[Measurement]", folder: Path) -> None:
    """Write the table and, with matplotlib, the plot."""
    from latelier.evaluation.sampling.plot import is_available, plot
    from latelier.evaluation.sampling.table import write_csv

    folder.mkdir(parents=True, exist_ok=True)
    table, figure = folder / "errors.csv", folder / _PLOT
    write_csv(found, table)
    show_line(table)
    if is_available():
        plot(found, figure)
        show_line(figure)
