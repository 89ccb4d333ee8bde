"""`latelier evaluate run`: make pictures by a protocol, and measure them."""

from pathlib import Path
from typing import Annotated

import typer

from latelier.cli.commands.evaluate.options import (
    DEVICE,
    PartOption,
    Processes,
    make_resources,
    show_results,
)


def run(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG.yaml", help="The protocol of the evaluation.")
    ],
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Embedded name, folder or hub id.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Data set in place of the protocol's.")
    ] = None,
    pictures: Annotated[int | None, typer.Option(min=1, help="Number of pictures.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Folder of the run.")] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="FIELD=VALUE", help="Change a field, such as generate.steps=50."
        ),
    ] = None,
    device: Annotated[str | None, DEVICE] = None,
    processes: Processes = 1,
    part: PartOption = "1/1",
) -> None:
    """Make pictures by a protocol, and measure them.

    A run that was interrupted goes on with what its folder has.
    """
    from latelier.cli.commands.evaluate.protocol import read_protocol
    from latelier.evaluation.run.run import run_evaluation

    given = {"model": model, "pictures": pictures, "out": out, "device": device}
    evaluation = read_protocol(config, given, data, changes or [])
    results = run_evaluation(evaluation, make_resources(processes, part))
    if results is None:
        typer.echo(f"part {part} is in {evaluation.out}: `latelier evaluate merge`", err=True)
    else:
        show_results(results, evaluation.out)
