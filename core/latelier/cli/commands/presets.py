"""`latelier models presets` and `latelier models build`: published models without weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from latelier.cli.support.output import AsJson, show_columns, show_json, show_line
from latelier.io.user_folders import expand_home


def presets(
    as_json: AsJson = False,
) -> None:
    """List the published models that can be built, first stages first."""
    from latelier.presets import preset_names, read_preset

    found = {name: read_preset(name) for name in preset_names()}
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "task": preset.task,
            "parameters": preset.parameters,
            "size": preset.defaults.get("size"),
            "parts": {place: part.id for place, part in preset.parts().items()},
            "description": preset.description,
        }
        for name, preset in found.items()
    ]
    if as_json:
        show_json(rows)
        return
    show_columns(
        ("PRESET", "TASK", "MILLIONS", "PIXELS", "DESCRIPTION"),
        [
            (
                row["name"],
                row["task"],
                f"{row['parameters'] / 1e6:.1f}",
                str(row["size"] or ""),
                row["description"],
            )
            for row in rows
        ],
    )


def build(
    preset: Annotated[
        str,
        typer.Argument(
            metavar="PRESET", help="A name of `latelier models presets`, or a YAML file like them."
        ),
    ],
    destination: Annotated[Path, typer.Argument(metavar="DEST", help="The folder to make.")],
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, metavar="SEED", help="Of the weights.")
    ] = 0,
    dtype: Annotated[
        str, typer.Option(metavar="NAME", help="Of the weights: float32, bfloat16 ...")
    ] = "float32",
    asset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITIONER=FILE",
            help="A file that a conditioner needs, such as text=vocab.txt. Repeatable.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a folder that is there.")] = False,
) -> None:
    """Make the model of a preset with randomly initialized weights, to train or to try.

    A first stage alone becomes a component, which `latelier train` takes.
    """
    from latelier.cli.support.application import load_atelier
    from latelier.cli.support.progress import spinner
    from latelier.conversion.building import build_model

    assets = read_assets(asset or ())
    with spinner("building"):
        folder = build_model(
            preset,
            destination,
            seed=seed,
            assets=assets,
            dtype=dtype,
            force=force,
            atelier=load_atelier(),
        )
    show_line(folder)


def read_assets(texts: Sequence[str]) -> dict[str, dict[str, bytes]]:
    """Return conditioner -> file name -> content, of 'CONDITIONER=FILE'.

    Raises:
        InvalidInputError: it is not CONDITIONER=FILE, or the file cannot be read.
    """
    from latelier.contracts.errors import InvalidInputError

    found: dict[str, dict[str, bytes]] = {}
    for text in texts:
        name, _, file = text.partition("=")
        if not (name and file):
            raise InvalidInputError(f"--asset: '{text}' is not CONDITIONER=FILE")
        path = expand_home(file)
        try:
            found.setdefault(name, {})[path.name] = path.read_bytes()
        except OSError as error:
            raise InvalidInputError(f"--asset: {path}: {error.strerror}") from None
    return found
