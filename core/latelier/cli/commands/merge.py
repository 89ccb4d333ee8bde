"""`latelier models merge`: a model whose weights include those of LoRAs."""

from pathlib import Path
from typing import Annotated

import typer

from latelier.cli.support.output import show_line


def merge(
    model: Annotated[
        str, typer.Argument(help="An embedded name, a folder, or owner/name on the hub.")
    ],
    destination: Annotated[Path, typer.Argument(metavar="DEST", help="The folder to make.")],
    adapter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE[:0.8]",
            help="A LoRA to merge at a scale: a registered name, a folder or a safetensors file. "
            "Repeatable.",
        ),
    ] = None,
    dtype: Annotated[
        str, typer.Option(metavar="NAME", help="Of the weights: float32, bfloat16 ...")
    ] = "float32",
    force: Annotated[bool, typer.Option("--force", help="Replace a folder that is there.")] = False,
) -> None:
    """Make a model whose weights include those of LoRAs, and print the path of its folder.

    A model that was saved with LoRAs needs no --adapter.
    """
    from latelier.cli.options.adapters import read_adapters
    from latelier.cli.support.application import load_atelier
    from latelier.cli.support.progress import spinner
    from latelier.conversion.merging import merge_adapters

    atelier = load_atelier()
    adapters = [(each.name, each.strength.scale) for each in read_adapters(adapter or (), atelier)]
    with spinner("merging"):
        folder = merge_adapters(
            model, adapters, destination, dtype=dtype, force=force, atelier=atelier
        )
    show_line(folder)
