"""The training loop."""

import time
from collections.abc import Mapping
from functools import partial

from torch import Tensor

from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.training.loop.batches import load_batches
from latelier.training.loop.interruption import catch_signals
from latelier.training.loop.plan import TrainingPlan
from latelier.training.loop.run import Resume, Run, TrainingResult, open_run
from latelier.training.loop.state import TrainingState
from latelier.training.monitoring.progress import TrainingProgress


def run_training(
    plan: TrainingPlan, resume: Resume = False, atelier: Atelier | None = None
) -> TrainingResult:
    """Carry out a plan, from its start or from the last checkpoint of its folder.

    Raises:
        InvalidConfigError: see `open_run`.
    """
    with open_run(plan.config, resume) as run:
        with run.fabric.rank_zero_first():  # the others read what the first has fitted
            plan.initialize(plan.config.out, run.checkpoint is None)
        return train(plan, run, atelier or default_atelier())


def train(plan: TrainingPlan, run: Run, atelier: Atelier) -> TrainingResult:
    """Train the plan's objective to the last step.

    Step n takes the positions n * batch_size to (n + 1) * batch_size - 1 of the data set, and its
    random numbers derive from (seed, n, position) alone. So a resumed run ends with the same
    weights as one that was never interrupted.

    The plugins of `atelier` observe each step and checkpoint.
    """
    config, dispatcher = plan.config, atelier.dispatcher()
    state = TrainingState(plan.objective, run)
    if run.checkpoint is not None:
        state.restore(run.checkpoint)
    progress = TrainingProgress(
        config.out / "log.jsonl", state.step, config.steps, config.batch_size
    )
    if run.checkpoint is not None:
        progress.log({"event": "resumed", "step": state.step})
        progress.print(f"resumed at step {state.step}")
    for line in plan.objective.describe():
        progress.print(line)
    last_save = time.monotonic()
    with progress, catch_signals() as stop:
        for batches in load_batches(plan, run.split, state.step, run.fabric.device):
            losses = state.take_step(batches)

            # let plugins observe the step
            position = {"step": state.step, "steps": config.steps}
            dispatcher.emit("latelier_batch_trained", **position, losses=partial(_items, losses))

            # show progress
            progress.advance(state.step)
            if state.step % config.log_every == 0:
                state.report(progress)

            # measure on held-out samples
            if state.step % config.validate_every == 0 or state.is_finished:
                state.validate(progress)

            # draw samples
            if state.step % config.sheet_every == 0 or state.is_finished:
                state.draw_sample_sheet(progress)

            # save, and stop if a signal asked for it
            is_due = time.monotonic() - last_save > config.checkpoint_seconds
            if stop.received or state.is_finished or is_due:
                path = state.save()
                dispatcher.emit("latelier_checkpoint_saved", **position, path=path)
                last_save = time.monotonic()
                if stop.received and not state.is_finished:
                    progress.log({"event": "interrupted", "step": state.step})
                    progress.print(f"interrupted; saved {path}. The same command continues.")
                    return TrainingResult(state.step, finished=False, result=None)
    return TrainingResult(state.step, finished=True, result=state.export(progress))


def _items(losses: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: value.item() for name, value in losses.items()}
