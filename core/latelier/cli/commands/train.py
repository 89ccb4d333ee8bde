"""`latelier train`: the two stages of a latent diffusion model, and what is added to one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from latelier.cli.support.lazy import new_app

if TYPE_CHECKING:
    from latelier.training.loop import TrainingResult


app = new_app(help="Train the parts of a model.")

Config = Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="What to train, and how.")]

Resume = Annotated[
    bool | None,
    typer.Option(
        "--resume/--fresh",
        help="Go on from the last checkpoint, or refuse to. "
        "Without either: go on if there is a checkpoint.",
    ),
]


@app.command("first-stage")
def first_stage(config: Config, resume: Resume = None) -> None:
    """Train an autoencoder.

    The path of the component folder that it ends up in is written at the end.
    """
    _check_installed()
    from latelier.cli.support.application import atelier
    from latelier.training.config import FirstStageTraining, read_training
    from latelier.training.first_stage import train_first_stage

    read = read_training(config, FirstStageTraining)
    _report(train_first_stage(read, resume=_resume(resume), atelier=atelier()))


@app.command()
def denoiser(config: Config, resume: Resume = None) -> None:
    """Train a denoiser and its conditioners.

    The path of the model's folder is written at the end.
    """
    _check_installed()
    from latelier.cli.support.application import atelier
    from latelier.training.config import DenoiserTraining, read_training
    from latelier.training.denoiser import train_denoiser

    read = read_training(config, DenoiserTraining)
    _report(train_denoiser(read, resume=_resume(resume), atelier=atelier()))


@app.command()
def adapter(config: Config, resume: Resume = None) -> None:
    """Train an adapter: a new condition for a finished model, which stays as it is.

    The path of the adapter's folder is written at the end.
    """
    _check_installed()
    from latelier.cli.support.application import atelier
    from latelier.training.adapter import train_adapter
    from latelier.training.config import AdapterTraining, read_training

    read = read_training(config, AdapterTraining)
    _report(train_adapter(read, resume=_resume(resume), atelier=atelier()))


def _check_installed() -> None:
    from importlib.util import find_spec

    from latelier.contracts.errors import LatelierError

    if find_spec("lightning_fabric") is None:
        raise LatelierError("training needs Lightning Fabric: pip install 'latelier[train]'")


def _resume(asked: bool | None) -> bool | Literal["auto"]:
    return "auto" if asked is None else asked


def _report(result: "TrainingResult") -> None:
    if not result.finished:
        raise typer.Exit(130)
    typer.echo(result.result)
