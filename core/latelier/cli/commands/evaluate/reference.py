"""`latelier evaluate reference`: store statistics of reference pictures."""

from pathlib import Path
from typing import Annotated

import typer

from latelier.cli.commands.evaluate.options import (
    BatchSize,
    Device,
    Network,
    PartOption,
    Processes,
    Size,
    Weights,
    choose_network,
    make_resources,
)
from latelier.cli.support.destinations import Force, check_destination
from latelier.cli.support.output import show_line


def reference(
    data: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="The pictures: a folder, a manifest, shards ..."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="A .safetensors file.")
    ] = Path("reference.safetensors"),
    network: Network = None,
    weights: Weights = None,
    size: Size = None,
    pictures: Annotated[
        int | None, typer.Option(min=2, help="Number of pictures, spread evenly; all by default.")
    ] = None,
    sample: Annotated[
        int, typer.Option(min=2, help="Pictures whose features are kept themselves.")
    ] = 10_000,
    batch_size: BatchSize = 25,
    device: Device = "auto",
    processes: Processes = 1,
    part: PartOption = "1/1",
    force: Force = False,
) -> None:
    """Store the statistics of reference pictures, with what they were made of.

    A command that was interrupted goes on where it was.
    """
    from latelier.contracts.errors import InvalidInputError
    from latelier.contracts.frozen import validate
    from latelier.evaluation.protocol.config import EvaluationConfig
    from latelier.evaluation.run.evaluation import prepare_evaluation
    from latelier.evaluation.run.references import compute_reference

    if output.suffix != ".safetensors":
        raise InvalidInputError(f"{output}: expected a .safetensors file")
    check_destination(output, force=force)
    values = {
        "out": output.with_suffix(".partial"),
        "task": "originals",
        "data": {"path": data, "size": size},
        "pictures": pictures,
        "batch_size": batch_size,
        "device": device,
        **choose_network(network, weights),
    }
    config = validate(EvaluationConfig, values, "evaluate reference")
    resources = make_resources(processes, part)
    evaluation = prepare_evaluation(config, resources.atelier)
    stored = compute_reference(evaluation, output, sample, resources)
    typer.echo(f"{stored.count:,} pictures, by {stored.facts['network_name']}", err=True)
    show_line(output)
