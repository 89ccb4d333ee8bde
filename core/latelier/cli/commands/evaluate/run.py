"""`latelier evaluate run`: make pictures by a protocol, and measure them."""

from pathlib import Path
from typing import Annotated, Any

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
    from latelier.evaluation.protocol.config import read_evaluation
    from latelier.evaluation.run.run import run_evaluation

    given = {
        "model": model,
        "data.path": data,
        "pictures": pictures,
        "out": out,
        "device": device,
    }
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if data is not None:  # in place of the protocol's source; its size and captions stay
        values |= {"data.dataset": None, "data.config": {}, "data.length": None, "data.root": None}
    evaluation = read_evaluation(config, {**values, **_parse(changes or [])})
    results = run_evaluation(evaluation, make_resources(processes, part))
    if results is None:
        typer.echo(f"part {part} is in {evaluation.out}: `latelier evaluate merge`", err=True)
    else:
        show_results(results, evaluation.out)


def _parse(changes: list[str]) -> dict[str, Any]:
    """Return the value of each field; values are YAML."""
    import yaml

    from latelier.contracts.errors import InvalidInputError

    parsed = {}
    for change in changes:
        field, equals, value = change.partition("=")
        if not equals or not field:
            raise InvalidInputError(f"--set: expected FIELD=VALUE, got '{change}'")
        try:
            parsed[field] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InvalidInputError(f"--set {field}: '{value}' cannot be read as YAML") from None
    return parsed
