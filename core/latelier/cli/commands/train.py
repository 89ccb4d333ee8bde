"""`latelier train`: train the two stages of a latent diffusion model, or an adapter."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from latelier.cli.support.lazy import LightTyper
from latelier.cli.support.output import show_line

if TYPE_CHECKING:
    from latelier.training.loop.run import TrainingResult

app = LightTyper(help="Train the parts of a model.")

Config = Annotated[
    Path, typer.Argument(metavar="CONFIG.yaml", help="The configuration of the training run.")
]

Resume = Annotated[
    bool | None,
    typer.Option(
        "--resume/--fresh",
        help="Require a checkpoint to resume from, or refuse one. "
        "By default the run resumes if there is a checkpoint.",
    ),
]


@app.command("first-stage")
def first_stage(config: Config, resume: Resume = None) -> None:
    """Train an autoencoder.

    Print the path of its component folder at the end.
    """
    _check_installed()
    from latelier.cli.support.application import load_atelier
    from latelier.training.configs.first_stage import FirstStageTraining
    from latelier.training.configs.training import read_training
    from latelier.training.first_stage.train import train_first_stage

    run = read_training(config, FirstStageTraining)
    _report(train_first_stage(run, resume=_resume_mode(resume), atelier=load_atelier()))


@app.command()
def denoiser(config: Config, resume: Resume = None) -> None:
    """Train a denoiser and its conditioners.

    Print the path of the model's folder at the end.
    """
    _check_installed()
    from latelier.cli.support.application import load_atelier
    from latelier.training.configs.denoiser import DenoiserTraining
    from latelier.training.configs.training import read_training
    from latelier.training.denoiser.train import train_denoiser

    run = read_training(config, DenoiserTraining)
    _report(train_denoiser(run, resume=_resume_mode(resume), atelier=load_atelier()))


@app.command()
def adapter(config: Config, resume: Resume = None) -> None:
    """Train an adapter: a new condition for a finished model, whose weights stay the same.

    Print the path of the adapter's folder at the end.
    """
    _check_installed()
    from latelier.cli.support.application import load_atelier
    from latelier.training.adapter.train import train_adapter
    from latelier.training.configs.adapter import AdapterTraining
    from latelier.training.configs.training import read_training

    run = read_training(config, AdapterTraining)
    _report(train_adapter(run, resume=_resume_mode(resume), atelier=load_atelier()))


def _check_installed() -> None:
    from importlib.util import find_spec

    from latelier.contracts.errors import LatelierError

    if find_spec("lightning_fabric") is None:
        raise LatelierError("training needs Lightning Fabric: pip install 'latelier[train]'")


def _resume_mode(flag: bool | None) -> bool | Literal["auto"]:
    return "auto" if flag is None else flag


def _report(result: "TrainingResult") -> None:
    from latelier.cli.support.lazy import INTERRUPTED

    if not result.finished:
        raise typer.Exit(INTERRUPTED)
    if result.result is not None:
        show_line(result.result)
