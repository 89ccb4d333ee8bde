"""`latelier train`: train a part of a model, such as its first stage or an adapter."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias, TypeVar

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


Average = Annotated[
    float | None,
    typer.Option(
        metavar="LENGTH",
        help="Train nothing: from the snapshots of a run, write the result with the average of "
        "another relative length, such as 0.07.",
    ),
]

AtStep = Annotated[
    int | None,
    typer.Option(
        metavar="STEP",
        help="With --average: as if the run had ended at this step, that of one of its snapshots.",
    ),
]

Parts: TypeAlias = "tuple[type[Any], Callable[[Any, Atelier], TrainingPlan]]"
"""The configuration of a kind of training, and what makes its plan."""

Load = Callable[[], Parts]
"""Imports the parts of a training, when its command runs."""

TRAININGS: dict[str, Load] = {}
"""The trainings by the names of their commands."""


def _command(name: str) -> Callable[[Load], Load]:
    """Return a decorator that adds the command of a training, with the help of its docstring."""

    def add(load: Load) -> Load:
        def command(
            config: Config,
            resume: Resume = None,
            dry_run: DryRun = False,
            find_batch: FindBatch = False,
            average: Average = None,
            at_step: AtStep = None,
        ) -> None:
            _check_installed()
            options = Options(resume, dry_run, find_batch, average, at_step)
            _carry_out(config, *load(), options)

        command.__doc__ = load.__doc__
        app.command(name)(command)
        TRAININGS[name] = load
        return load

    return add


@_command("first-stage")
def first_stage() -> Parts:
    """Train an autoencoder.

    Print the path of its component folder at the end.
    """
    from latelier.training.configs.first_stage import FirstStageTraining
    from latelier.training.first_stage.train import plan_first_stage

    return FirstStageTraining, plan_first_stage


@_command("denoiser")
def denoiser() -> Parts:
    """Train a denoiser and its conditioners.

    Print the path of the model's folder at the end.
    """
    from latelier.training.configs.denoiser import DenoiserTraining
    from latelier.training.denoiser.train import plan_denoiser

    return DenoiserTraining, plan_denoiser


@_command("adapter")
def adapter() -> Parts:
    """Train an adapter: a new condition for a finished model, whose weights stay the same.

    Print the path of the adapter's folder at the end.
    """
    from latelier.training.adapter.train import plan_adapter
    from latelier.training.configs.adapter import AdapterTraining

    return AdapterTraining, plan_adapter


@_command("lora")
def lora() -> Parts:
    """Train a LoRA: low-rank changes of a finished model's weights, which stay the same.

    Print the path of the LoRA's folder at the end.
    """
    from latelier.training.configs.lora import LoraTraining
    from latelier.training.lora.train import plan_lora

    return LoraTraining, plan_lora


@_command("distillation")
def distillation() -> Parts:
    """Train a LoRA with which a model needs few steps and no guidance.

    Print the path of the LoRA's folder at the end.
    """
    from latelier.training.configs.distillation import DistillationTraining
    from latelier.training.distillation.train import plan_distillation

    return DistillationTraining, plan_distillation


@_command("conditional-decoder")
def conditional_decoder() -> Parts:
    """Train a conditional decoder, which adds what inputs know of a picture's pixels.

    Print the path of the model's folder at the end.
    """
    from latelier.training.conditional_decoder.train import plan_conditional_decoder
    from latelier.training.configs.conditional_decoder import ConditionalDecoderTraining

    return ConditionalDecoderTraining, plan_conditional_decoder


class Options(NamedTuple):
    """The options of all trainings."""

    resume: bool | None
    dry_run: bool
    find_batch: bool
    average: float | None
    at_step: int | None


def _carry_out(
    path: Path,
    model: type[C],
    make_plan: Callable[[C, "Atelier"], "TrainingPlan"],
    options: Options,
) -> None:
    """Read a configuration and do what the options ask for: by default, train."""
    from latelier.cli.support.application import load_atelier
    from latelier.contracts.errors import InvalidInputError
    from latelier.training.configs.training import read_training
    from latelier.training.loop.evaluation import export_average
    from latelier.training.loop.loop import run_training

    if options.at_step is not None and options.average is None:
        raise InvalidInputError("--at-step needs --average: the length of an average at that step")
    config, atelier = read_training(path, model), load_atelier()
    if options.dry_run or options.find_batch:
        _try_out(make_plan, config, atelier, options.dry_run, options.find_batch)
    elif options.average is not None:
        show_line(export_average(make_plan, config, atelier, options.average, options.at_step))
    else:
        plan = make_plan(config, atelier)
        _report(run_training(plan, "auto" if options.resume is None else options.resume, atelier))


def _check_installed() -> None:
    from importlib.util import find_spec

    from latelier.contracts.errors import LatelierError

    if find_spec("lightning_fabric") is None:
        raise LatelierError("training needs Lightning Fabric: pip install 'latelier[train]'")


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
