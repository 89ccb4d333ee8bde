"""`latelier train`: train the two stages of a latent diffusion model, or an adapter."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from latelier.cli.support.lazy import LightTyper
from latelier.cli.support.output import show_line

if TYPE_CHECKING:
    from latelier.kernel.atelier import Atelier
    from latelier.training.configs.training import Training
    from latelier.training.loop.plan import TrainingPlan
    from latelier.training.loop.run import TrainingResult

C = TypeVar("C", bound="Training")

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

DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Print parameters, arithmetic, memory and time from a few steps; write nothing.",
    ),
]

FindBatch = Annotated[
    bool,
    typer.Option(
        "--find-batch", help="Print the largest micro-batch that fits into memory; write nothing."
    ),
]


@app.command("first-stage")
def first_stage(
    config: Config, resume: Resume = None, dry_run: DryRun = False, find_batch: FindBatch = False
) -> None:
    """Train an autoencoder.

    Print the path of its component folder at the end.
    """
    _check_installed()
    from latelier.cli.support.application import load_atelier
    from latelier.training.configs.first_stage import FirstStageTraining
    from latelier.training.configs.training import read_training
    from latelier.training.first_stage.train import plan_first_stage, train_first_stage

    run, atelier = read_training(config, FirstStageTraining), load_atelier()
    if dry_run or find_batch:
        _try_out(plan_first_stage, run, atelier, dry_run, find_batch)
        return
    _report(train_first_stage(run, resume=_resume_mode(resume), atelier=atelier))


@app.command()
def denoiser(
    config: Config, resume: Resume = None, dry_run: DryRun = False, find_batch: FindBatch = False
) -> None:
    """Train a denoiser and its conditioners.

    Print the path of the model's folder at the end.
    """
    _check_installed()
    from latelier.cli.support.application import load_atelier
    from latelier.training.configs.denoiser import DenoiserTraining
    from latelier.training.configs.training import read_training
    from latelier.training.denoiser.train import plan_denoiser, train_denoiser

    run, atelier = read_training(config, DenoiserTraining), load_atelier()
    if dry_run or find_batch:
        _try_out(plan_denoiser, run, atelier, dry_run, find_batch)
        return
    _report(train_denoiser(run, resume=_resume_mode(resume), atelier=atelier))


@app.command()
def adapter(
    config: Config, resume: Resume = None, dry_run: DryRun = False, find_batch: FindBatch = False
) -> None:
    """Train an adapter: a new condition for a finished model, whose weights stay the same.

    Print the path of the adapter's folder at the end.
    """
    _check_installed()
    from latelier.cli.support.application import load_atelier
    from latelier.training.adapter.train import plan_adapter, train_adapter
    from latelier.training.configs.adapter import AdapterTraining
    from latelier.training.configs.training import read_training

    run, atelier = read_training(config, AdapterTraining), load_atelier()
    if dry_run or find_batch:
        _try_out(plan_adapter, run, atelier, dry_run, find_batch)
        return
    _report(train_adapter(run, resume=_resume_mode(resume), atelier=atelier))


@app.command()
def lora(
    config: Config, resume: Resume = None, dry_run: DryRun = False, find_batch: FindBatch = False
) -> None:
    """Train a LoRA: low-rank changes of a finished model's weights, which stay the same.

    Print the path of the LoRA's folder at the end.
    """
    _check_installed()
    from latelier.cli.support.application import load_atelier
    from latelier.training.configs.lora import LoraTraining
    from latelier.training.configs.training import read_training
    from latelier.training.lora.train import plan_lora, train_lora

    run, atelier = read_training(config, LoraTraining), load_atelier()
    if dry_run or find_batch:
        _try_out(plan_lora, run, atelier, dry_run, find_batch)
        return
    _report(train_lora(run, resume=_resume_mode(resume), atelier=atelier))


def _check_installed() -> None:
    from importlib.util import find_spec

    from latelier.contracts.errors import LatelierError

    if find_spec("lightning_fabric") is None:
        raise LatelierError("training needs Lightning Fabric: pip install 'latelier[train]'")


def _resume_mode(flag: bool | None) -> bool | Literal["auto"]:
    return "auto" if flag is None else flag


def _try_out(
    make_plan: Callable[[C, "Atelier"], "TrainingPlan"],
    config: C,
    atelier: "Atelier",
    dry_run: bool,
    find_batch: bool,
) -> None:
    from latelier.training.estimation.estimate import estimate
    from latelier.training.estimation.micro_batch import describe_micro_batch, find_micro_batch
    from latelier.training.estimation.trial import open_trial

    with open_trial(make_plan, config, atelier) as trial:
        lines = [*estimate(trial).lines()] if dry_run else []
        if find_batch:
            lines.append(describe_micro_batch(find_micro_batch(trial), trial.run.split))
        if trial.run.fabric.is_global_zero:
            for line in lines:
                show_line(line)


def _report(result: "TrainingResult") -> None:
    from latelier.cli.support.lazy import INTERRUPTED

    if not result.finished:
        raise typer.Exit(INTERRUPTED)
    if result.result is not None:
        show_line(result.result)
