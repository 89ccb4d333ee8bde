"""`latelier evaluate cost`: measure how fast a model makes pictures."""

from typing import Annotated

import typer

from latelier.cli.commands.evaluate.options import Device
from latelier.cli.support.output import AsJson, show_columns, show_json


def cost(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="An embedded name, a folder or a hub id.")
    ],
    prompt: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Prompt of the pictures.")
    ] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[.FIELD]=VALUE|@FILE",
            help="A condition of the model. Repeatable. Without any a model is not guided, which "
            "halves its work.",
        ),
    ] = None,
    steps: Annotated[
        list[int] | None,
        typer.Option(
            min=1, metavar="N", help="Steps of the sampler. Repeatable. By default 10 20 50."
        ),
    ] = None,
    batch_size: Annotated[
        list[int] | None,
        typer.Option(
            min=1, metavar="N", help="Pictures that are made at once. Repeatable. By default 1 8."
        ),
    ] = None,
    device: Device = "auto",
    dtype: Annotated[
        str, typer.Option(metavar="NAME", help="Precision: auto, float32, bfloat16 ...")
    ] = "auto",
    as_json: AsJson = False,
) -> None:
    """Measure the throughput of sampling on this device, and its arithmetic.

    Pictures per second are the median of five batches, with the slowest and the fastest of them.
    `latelier train ... --dry-run` has the cost of a training.
    """
    from dataclasses import asdict

    from latelier._version import __version__
    from latelier.cli.options.model_inputs import read_model_inputs
    from latelier.cli.support.application import load_atelier
    from latelier.cli.support.progress import spinner
    from latelier.evaluation.cost.sampling import measure_sampling
    from latelier.pipeline import load
    from latelier.pipeline.provenance import describe_machine

    atelier = load_atelier()
    source, inputs = read_model_inputs(model, prompt, condition or (), atelier)
    pipeline = load(source, device, dtype, atelier=atelier)
    with spinner("measuring") as report:
        found = list(
            measure_sampling(pipeline, inputs, steps or (10, 20, 50), batch_size or (1, 8), report)
        )
    machine = describe_machine(pipeline)
    if as_json:
        costs = [asdict(each) for each in found]
        show_json({"model": model, "latelier": __version__, "machine": machine, "costs": costs})
        return
    show_columns(
        ("STEPS", "BATCH", "PICTURES/S", "SLOWEST", "FASTEST", "GFLOP/PICTURE"),
        [
            (
                each.steps,
                each.batch_size,
                f"{each.throughput:.4g}",
                f"{each.slowest:.4g}",
                f"{each.fastest:.4g}",
                f"{each.flops / 1e9:,.4g}",
            )
            for each in found
        ],
    )
    typer.echo(
        f"{machine['device']} ({machine['processor']}), {machine['threads']} CPU threads, "
        f"{machine['precision']}, torch {machine['torch']}, latelier {__version__}",
        err=True,
    )
