"""The training loop."""

from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.training.devices.ranks import is_true_anywhere
from latelier.training.loop.batches import load_batches
from latelier.training.loop.evaluation import Evaluation
from latelier.training.loop.faults import stop_if_diverged
from latelier.training.loop.folder.names import RESULT
from latelier.training.loop.interruption import catch_signals
from latelier.training.loop.monitor import Monitor
from latelier.training.loop.plan import TrainingPlan
from latelier.training.loop.player import make_players
from latelier.training.loop.run import Resume, Run, TrainingResult, open_run
from latelier.training.loop.saving import Saver
from latelier.training.loop.state import TrainingState


def run_training(
    plan: TrainingPlan, resume: Resume = False, atelier: Atelier | None = None
) -> TrainingResult:
    """Carry out a plan, from its start or from the last checkpoint of its folder.

    Raises:
        InvalidConfigError: see `open_run` and `make_players`.
        TrainingError: the loss stays unusable, or the last checkpoint cannot be written.
    """
    make_players(plan.objective, plan.config.optimizer)  # raises before the folder is made
    with open_run(plan.config, resume) as run:
        with run.fabric.rank_zero_first():  # the others read what the first has fitted
            is_new = run.checkpoint is None and run.fabric.is_global_zero
            plan.initialize(plan.config.out, is_new)
        return train(plan, run, atelier or default_atelier())


def train(plan: TrainingPlan, run: Run, atelier: Atelier) -> TrainingResult:
    """Train the plan's objective to the last step.

    Step n takes the positions n * batch_size to (n + 1) * batch_size - 1 of the data set, and its
    random numbers derive from (seed, n, position) alone. So a resumed run ends with the same
    weights as one that was never interrupted.

    The plugins of `atelier` observe each step and checkpoint.
    """
    evaluation = Evaluation(plan.evaluator, run, atelier)
    state = TrainingState(plan.objective, run)
    if run.checkpoint is not None:
        state.restore(run.checkpoint)
    first_step, score = state.step, None
    monitor = Monitor(plan, run, atelier, first_step)
    saver = Saver(run, monitor.progress)
    with monitor.progress, catch_signals() as stop:
        if first_step == 0:
            evaluation.draw_sample_sheets(state, monitor.progress)
        for batches in monitor.progress.measure_wait(load_batches(plan, run, first_step)):
            outcome = state.take_step(batches)
            monitor.observe_step(state.step, outcome)
            stop_if_diverged(run, state.faults, outcome.fault)
            score = evaluation.evaluate_if_due(state, monitor.progress)
            if (path := saver.save_if_due(state, score)) is not None:
                monitor.observe_checkpoint(state.step, path)
            if is_true_anywhere(run.fabric, stop.received):
                break
        if state.step > first_step:
            path = saver.save(state, score)
            monitor.observe_checkpoint(state.step, path)
            if not state.is_finished:
                monitor.report_interruption(state.step, path)
                return TrainingResult(state.step, finished=False, result=None)
        evaluation.export(state)
        monitor.report_end(state.step)
    result = run.config.out / RESULT if run.fabric.is_global_zero else None
    return TrainingResult(state.step, finished=True, result=result)
