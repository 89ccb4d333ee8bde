"""What the study will cost: a few steps of every training, which nothing is kept of."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import torch

import latelier
from benchmarks.tradeoff.configs import (
    configure_denoiser,
    configure_first_stage,
    first_stage_folder,
)
from benchmarks.tradeoff.models import MODELS, Model
from benchmarks.tradeoff.study import MEASURED, PROGRESS_STEPS, SAMPLING_STEPS, Study
from benchmarks.tradeoff.training import store_latents, write_identity
from latelier.checkpoints.component import save_component
from latelier.kernel.atelier import Atelier
from latelier.nn.flops import count_flops
from latelier.training.configs.training import Training
from latelier.training.denoiser.train import plan_denoiser
from latelier.training.estimation.phases import split_phases
from latelier.training.estimation.trial import Trial, open_trial
from latelier.training.first_stage.train import make_autoencoder, plan_first_stage
from latelier.training.loop.batches import load_batches
from latelier.training.loop.plan import TrainingPlan

C = TypeVar("C", bound=Training)

_TIMED_SECONDS = 3.0
_SCENES = 64


@dataclass(frozen=True)
class Cost:
    """The cost of a part of the study.

    Attributes:
        name: Of the part.
        parameters: That are trained.
        batch: Samples of a step.
        flops: Floating-point operations of a step, of the model itself; 0 where none are counted.
        steps: Their number.
        seconds: Of a step: CPU seconds divided by the threads of torch, so that other processes
            do not count.
    """

    name: str
    parameters: int
    batch: int
    flops: float
    steps: int
    seconds: float

    @property
    def hours(self) -> float:
        """Hours of all steps."""
        return self.steps * self.seconds / 3600


def measure_costs(study: Study, models: tuple[Model, ...] = MODELS) -> Iterator[Cost]:
    """Yield the cost of each part of the study."""
    with TemporaryDirectory(prefix="latelier-") as folder:
        trial = Study(
            Path(folder), study.first_stage_steps, study.denoiser_steps, min(_SCENES, study.scenes)
        )
        for model in models:
            yield from _measure_model(study, trial, model)


def _measure_model(study: Study, trial: Study, model: Model) -> Iterator[Cost]:
    atelier = latelier.default_atelier()
    target = Path(first_stage_folder(trial, model))
    if model.kind == "none":
        write_identity(target)
    else:
        config = configure_first_stage(trial, model)
        yield _measure_training(f"first stage of {model.name}", plan_first_stage, config, atelier)
        target.mkdir(parents=True)
        save_component(target, make_autoencoder(config, atelier))
    denoiser = configure_denoiser(trial, model)
    begin = time.process_time()
    store_latents(denoiser)
    seconds = (time.process_time() - begin) / torch.get_num_threads()
    yield Cost(f"latents of {model.name}", 0, 1, 0, study.scenes, seconds / trial.scenes)
    cost = _measure_training(f"denoiser of {model.name}", plan_denoiser, denoiser, atelier)
    yield cost
    calls = study.pictures * (
        sum(SAMPLING_STEPS) + PROGRESS_STEPS * sum(each != max(MEASURED) for each in MEASURED)
    )
    forward = cost.seconds / 3 / cost.batch  # a step is a forward pass and two of its length back
    yield Cost(f"pictures of {model.name}", 0, 1, cost.flops / 3 / cost.batch, calls, forward)


def _measure_training(
    name: str, make_plan: Callable[[C, Atelier], TrainingPlan], config: C, atelier: Atelier
) -> Cost:
    with open_trial(make_plan, config, atelier) as trial:
        trained = sum(each.numel() for each in trial.plan.objective.trained.parameters())
        phases = [
            (phase.steps, *_measure_steps(trial, phase.start)) for phase in split_phases(config)
        ]
    flops, seconds = (
        sum(steps * each[place] for steps, *each in phases) / config.steps for place in (0, 1)
    )
    return Cost(name, trained, config.batch_size, flops, config.steps, seconds)


def _measure_steps(trial: Trial, first: int) -> tuple[float, float]:
    """Return FLOPs and seconds of a step like `first`; the first two are not timed."""
    batches = load_batches(trial.plan, trial.run, 0)
    trial.take_step(first, next(batches))
    with count_flops() as counter:
        trial.take_step(first, next(batches))
    begin, taken = time.process_time(), 0
    while taken == 0 or time.process_time() - begin < _TIMED_SECONDS:
        trial.take_step(first, next(batches))
        taken += 1
    seconds = (time.process_time() - begin) / torch.get_num_threads()
    return counter.get_total_flops(), seconds / taken


HEAD = (
    f"{'':24}{'parameters':>12}{'batch':>7}{'GFLOP/step':>12}{'GFLOP/s':>9}{'ms/step':>9}"
    f"{'steps':>11}{'hours':>7}"
)
"""Head of the table of costs."""


def format_cost(cost: Cost) -> str:
    """Return a row of the table."""
    return (
        f"{cost.name:24}{cost.parameters:>12,}{cost.batch:>7}{cost.flops / 1e9:>12.2f}"
        f"{cost.flops / cost.seconds / 1e9:>9.0f}{1000 * cost.seconds:>9.2f}"
        f"{cost.steps:>11,}{cost.hours:>7.2f}"
    )
