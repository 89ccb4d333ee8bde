"""`latelier samplers`: what there is to sample with, and how good it is."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latelier.cli.support.lazy import LightTyper
from latelier.cli.support.output import AsJson, show_columns, show_fields, show_json, show_line

if TYPE_CHECKING:
    from latelier.evaluation.sampling.comparison import Measured
    from latelier.evaluation.sampling.problem import Problem
    from latelier.kernel.atelier import Atelier


MIXTURE = "mixture"

TUNING_SEED = 1_000_000
"""The first of the starting points that schedules are tuned on: `compare` uses others."""

app = LightTyper(help="List samplers, show their options, and compare them.")

Seeds = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="COUNT",
        help="Starting points. By default 64, on a model 8.",
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
    str | None, typer.Option(metavar="SCALE|NAME[:KEY=VALUE,...]", help="Of the model.")
]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the samplers that are installed: what they declare, and who they are from."""
    from latelier.cli.support.application import load_atelier

    rows: list[dict[str, Any]] = [
        {"name": spec.name, "id": spec.id, **(spec.traits.model_dump() if spec.traits else {})}
        for spec in load_atelier().samplers.specs()
    ]
    if as_json:
        show_json(rows)
        return
    show_columns(
        ("SAMPLER", "ORDER", "CALLS A STEP", "NOISE", "FROM"),
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
    name: Annotated[str, typer.Argument(help="Of a sampler, a schedule or a guidance rule.")],
    as_json: AsJson = False,
) -> None:
    """Show what one is and the options that it takes: `--sampler NAME:KEY=VALUE,...`."""
    from latelier.cli.support.application import load_atelier
    from latelier.cli.support.functions import describe_options, find_functions

    found = find_functions(name, load_atelier())
    if as_json:
        show_json([each.model_dump(mode="json") for each in found])
        return
    for each in found:
        lines = {"": each.about, "version": each.version, **each.traits}
        show_fields([(each.kind, each.id), *lines.items()])
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
            metavar="NAME[:KEY=VALUE,...]", help="Repeatable. By default all that draw no noise."
        ),
    ] = None,
    schedule: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[:KEY=VALUE,...]", help="Repeatable. By default karras."),
    ] = None,
    nfe: Annotated[
        list[int] | None,
        typer.Option(
            min=1, metavar="CALLS", help="Calls of the model. Repeatable. 5 8 10 15 20 50."
        ),
    ] = None,
    seeds: Seeds = None,
    condition: Conditions = None,
    guidance: GuidanceText = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FOLDER", help="For errors.csv and errors.svg."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how far samplers end from the exact solution, by the calls of the model they make.

    The exact solution is that of 1,000 steps of Heun's method, on a model of 200. The error is the
    mean of the relative L2 errors of all starting points.
    """
    from latelier.cli.support.application import load_atelier
    from latelier.cli.support.progress import spinner
    from latelier.cli.support.values import read_named_options
    from latelier.evaluation.sampling.comparison import compare as compared
    from latelier.evaluation.sampling.comparison import reference
    from latelier.evaluation.sampling.plot import check_plotting
    from latelier.pipeline.request import NamedOptions

    if output is not None:
        check_plotting()
    atelier = load_atelier()
    samplers = [
        NamedOptions.model_validate(read_named_options(text, "--sampler")) for text in sampler or ()
    ]
    schedules = [
        NamedOptions.model_validate(read_named_options(text, "--schedule"))
        for text in schedule or ("karras",)
    ]
    problem = _problem(on, range(_count(on, seeds)), condition or (), guidance, atelier)
    with spinner("comparing") as tell:
        tell("the exact solution")
        exact = reference(problem, atelier, _exact_steps(on))
        found = list(
            compared(
                problem,
                exact,
                samplers or _without_noise(atelier),
                schedules,
                sorted(nfe or (5, 8, 10, 15, 20, 50)),
                atelier,
                tell,
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
        Path, typer.Option("--output", "-o", metavar="FILE.json", help="The schedule.")
    ],
    sampler: Annotated[
        str, typer.Option(metavar="NAME[:KEY=VALUE,...]", help="That it is for.")
    ] = "dpmpp_2m",
    seeds: Seeds = None,
    condition: Conditions = None,
    guidance: GuidanceText = None,
    starts: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="COUNT",
            help="How many of the known schedules to begin from, the best first: more may end "
            "lower, and take as many times as long.",
        ),
    ] = 1,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Find the sigmas with which a sampler errs least on a model, in so many steps.

    The file is for `latelier generate --schedule @FILE.json --steps COUNT`. The best schedule for
    one model, condition and guidance is a good one for others like them.
    """
    from latelier.cli.support.application import load_atelier
    from latelier.cli.support.progress import spinner
    from latelier.cli.support.values import read_named_options
    from latelier.contracts.errors import InvalidInputError
    from latelier.evaluation.sampling.comparison import reference, sampler_of
    from latelier.evaluation.sampling.tuning import starting_grids, tuned
    from latelier.io.atomic import write_json
    from latelier.pipeline.request import NamedOptions

    if output.exists() and not force:
        raise InvalidInputError(f"{output}: is there already; --force replaces it")
    atelier = load_atelier()
    chosen = sampler_of(
        NamedOptions.model_validate(read_named_options(sampler, "--sampler")), atelier
    )
    points = range(TUNING_SEED, TUNING_SEED + _count(on, seeds))
    problem = _problem(on, points, condition or (), guidance, atelier)
    with spinner("tuning") as tell:
        tell("the exact solution")
        exact = reference(problem, atelier, _exact_steps(on))
        known = starting_grids(problem, steps, atelier)
        grid, error = tuned(problem, chosen, known, exact, followed=starts, tell=tell)
    write_json(output, {"name": "fixed", "options": {"sigmas": list(grid.sigmas)}})
    show_line(f"{output}: error {error:.4g}")


def _count(on: str, seeds: int | None) -> int:
    return seeds or (64 if on == MIXTURE else 8)


def _exact_steps(on: str) -> int:
    return 1000 if on == MIXTURE else 200


def _problem(
    on: str,
    seeds: Sequence[int],
    conditions: Sequence[str],
    guidance: str | None,
    atelier: "Atelier",
) -> "Problem":
    if on == MIXTURE:
        from latelier.diffusion.processes.kinds import process_from
        from latelier.evaluation.sampling.mixture import mixture

        return mixture(process_from({"kind": "vp"}), seeds)
    from latelier.cli.support.model_inputs import read_model_inputs
    from latelier.cli.support.values import read_guidance
    from latelier.evaluation.sampling.pipelines import problem_of
    from latelier.pipeline import load

    source, asked = read_model_inputs(on, None, conditions, atelier)
    if guidance is not None:
        asked["guidance"] = read_guidance(guidance)
    return problem_of(load(source, atelier=atelier), on, seeds, **asked)


def _without_noise(atelier: "Atelier") -> list[Any]:
    """Return those that draw no noise, make pictures, and whose calls can be foretold."""
    from latelier.pipeline.request import NamedOptions

    specs = [(spec, spec.traits) for spec in atelier.samplers.specs()]
    return [
        NamedOptions(name=spec.name)
        for spec, traits in specs
        if not (
            traits and (traits.stochastic or traits.is_inversion or traits.nfe_per_step is None)
        )
    ]


def _show(found: "list[Measured]", as_json: bool) -> None:
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
        ("SAMPLER", "SCHEDULE", *(f"{budget} CALLS" for budget in budgets)),
        [
            (*names, *(f"{errors[b]:.2e}" if b in errors else "" for b in budgets))
            for names, errors in ordered
        ],
    )


def _write(found: "list[Measured]", folder: Path) -> None:
    from latelier.evaluation.sampling.plot import plot
    from latelier.evaluation.sampling.table import write_csv

    folder.mkdir(parents=True, exist_ok=True)
    write_csv(found, folder / "errors.csv")
    show_line(folder / "errors.csv")
    plot(found, folder / "errors.svg")
    show_line(folder / "errors.svg")
