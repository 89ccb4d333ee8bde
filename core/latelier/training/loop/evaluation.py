"""Validation, sample sheets and export: what is done with weights, in the first process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from latelier.contracts.errors import InvalidConfigError, ModelFileError, TrainingError
from latelier.kernel.atelier import Atelier
from latelier.training.configs.training import SheetWeights, Training
from latelier.training.devices.ranks import call_on_first_rank
from latelier.training.devices.shards import gather_all
from latelier.training.evaluator import Evaluator
from latelier.training.loop.folder.config import read_config
from latelier.training.loop.folder.names import RESULT, SHEETS
from latelier.training.loop.plan import TrainingPlan
from latelier.training.loop.run import Run
from latelier.training.loop.state import TrainingState
from latelier.training.monitoring.progress import TrainingProgress, format_metrics
from latelier.training.monitoring.sheets import save_sheet
from latelier.training.optimization.averages import SNAPSHOTS, average_snapshots, save_snapshot
from latelier.training.optimization.ema import MAX_LENGTH
from latelier.training.step_names import step_name

C = TypeVar("C", bound=Training)
T = TypeVar("T")


class Evaluation:
    """Evaluates the weights of a run and their average.

    Make it before the state: sharding takes the weights of the objective apart, so a copy of it is
    evaluated then.
    """

    def __init__(self, evaluator: Evaluator, run: Run, atelier: Atelier) -> None:
        self._run = run
        self._is_copy = run.config.strategy == "fsdp" and run.fabric.world_size > 1
        self._evaluator = evaluator
        if self._is_copy and run.fabric.is_global_zero:
            self._evaluator = deepcopy(evaluator, {id(atelier): atelier})

    def evaluate_if_due(self, state: TrainingState, progress: TrainingProgress) -> float | None:
        """Validate, draw and store averages as often as configured; return the score, if any."""
        config, score = self._run.config, None
        if state.step % config.validate_every == 0 or state.is_finished:
            score = self.validate(state, progress)
        if state.step % config.sheet_every == 0 or state.is_finished:
            self.draw_sample_sheets(state, progress)
        if state.averages.is_snapshot_due(state.step, config.steps):
            self.save_snapshot(state, progress)
        return score

    def validate(self, state: TrainingState, progress: TrainingProgress) -> float | None:
        """Report metrics of held-out samples; return the first one, of the average."""
        average = self._evaluate(state, "average", lambda each: each.validate())
        if not average:
            return None
        raw = self._evaluate(state, "raw", lambda each: each.validate())
        progress.log({"event": "validation", "step": state.step, "ema": average, "raw": raw})
        progress.print(f"step {state.step} validation: {format_metrics(average)}")
        return next(iter(average.values()))

    def draw_sample_sheets(self, state: TrainingState, progress: TrainingProgress) -> None:
        """Write a sample sheet of each kind of weights and report their metrics."""
        for kind in self._run.config.sheet_weights:
            suffix = "" if kind == "average" else f"-{kind}"
            path = self._run.config.out / SHEETS / f"{step_name(state.step)}{suffix}.png"
            metrics = self._evaluate(state, kind, partial(_draw_sheet, progress, path))
            if metrics is None:
                continue
            progress.log({"event": "sheet", "step": state.step, "weights": kind, **metrics})
            measured = f": {format_metrics(metrics)}" if metrics else ""
            progress.print(f"step {state.step} sheet ({kind}){measured}")

    def save_snapshot(self, state: TrainingState, progress: TrainingProgress) -> None:
        """Write the averages, from which averages of other lengths can be made."""
        averages = gather_all(state.averages.tensors())
        if not self._run.fabric.is_global_zero:
            return
        try:
            save_snapshot(self._run.config.out / SNAPSHOTS, state.step, averages)
        except OSError as error:
            progress.warn_once("snapshot", f"a snapshot cannot be written ({error})")

    def export(self, state: TrainingState) -> None:
        """Write the result into the run's folder.

        Raises:
            TrainingError: it cannot be written.
        """
        folder = self._run.config.out / RESULT
        self._evaluate(state, "average", partial(_export, folder))

    def _evaluate(
        self, state: TrainingState, kind: SheetWeights, function: Callable[[Evaluator], T]
    ) -> T:
        """Return a function of the evaluator with some weights, called in the first process."""
        weights = gather_all(state.average if kind == "average" else state.weights)

        def evaluate() -> T:
            with self._use(weights):
                return function(self._evaluator)

        return call_on_first_rank(self._run.fabric, evaluate)

    @contextmanager
    def _use(self, weights: dict[str, Tensor]) -> Iterator[None]:
        """Load weights, in evaluation mode and without gradients, while inside."""
        objective = self._evaluator.objective
        trained = objective.trained
        if self._is_copy:
            objective.to(self._run.fabric.device)
        former = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
        trained.load_state_dict(weights)
        trained.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            trained.train()
            trained.load_state_dict(former)
            if self._is_copy:
                objective.to("cpu")


def _draw_sheet(
    progress: TrainingProgress, path: Path, evaluator: Evaluator
) -> dict[str, float] | None:
    """Write a sample sheet, and return its metrics; None if there is nothing to draw."""
    drawn = evaluator.draw_sample_sheet()
    if drawn is None:
        return None
    sheet, metrics = drawn
    try:
        save_sheet(sheet, path)
    except OSError as error:
        progress.warn_once("sheet", f"a sample sheet cannot be written ({error})")
    return metrics


def _export(folder: Path, evaluator: Evaluator) -> None:
    try:
        evaluator.export(folder)
    except OSError as error:
        raise TrainingError(
            f"the result cannot be written to {folder} ({error}); the checkpoint of the last step "
            "is. Free some space or restore access, and run the same command"
        ) from None


def export_average(
    make_plan: Callable[[C, Atelier], TrainingPlan],
    config: C,
    atelier: Atelier,
    length: float,
    step: int | None = None,
) -> Path:
    """Write the result of a run with an average of its weights, and return its folder.

    The average is made from the snapshots of the run, and the plan from the configuration in the
    folder of the run.

    Args:
        make_plan: Makes the plan of a configuration.
        config: The configuration of the run.
        atelier: Its components.
        length: The relative length of the average, in (0, 0.28].
        step: Of a snapshot, at which the average is made; None: of the last one.

    Raises:
        InvalidConfigError: the length is out of range, the folder has no run, one with another
            configuration, or one without snapshots or without one at `step`.
        ModelFileError: a snapshot is damaged, or of another model.
    """
    if not 0 < length <= MAX_LENGTH:
        raise InvalidConfigError(
            f"average: expected a relative length above 0 and up to {MAX_LENGTH}, got {length:g}"
        )
    out, stored = config.out, read_config(config)
    if stored is None:
        raise InvalidConfigError(f"out: {out} has no run; train before")
    weights = average_snapshots(out / SNAPSHOTS, length, step)
    plan = make_plan(stored.model_copy(update={"out": out}), atelier)
    plan.initialize(out, False)
    trained = plan.objective.trained
    try:
        trained.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelFileError(f"the snapshots in {out} are of another model: {error}") from None
    suffix = "" if step is None else f"-{step_name(step)}"
    folder = out / f"{RESULT}-length-{length:g}{suffix}"
    trained.eval()
    with torch.no_grad():
        plan.evaluator.export(folder)
    return folder
