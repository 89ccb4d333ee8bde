"""Results with averages of another length, made after a run."""

from pathlib import Path

import torch

from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.training.loop.evaluation import SNAPSHOTS
from latelier.training.loop.plan import TrainingPlan
from latelier.training.loop.prolong import RESULT
from latelier.training.optimization.averages import average_snapshots
from latelier.training.optimization.ema import MAX_LENGTH


def export_average(plan: TrainingPlan, length: float) -> Path:
    """Write the result of a run with an average of its weights, and return its folder.

    The average is made from the snapshots of the run, at the step of the last one.

    Args:
        plan: The training, as the run was made.
        length: The relative length of the average, in (0, 0.28].

    Raises:
        InvalidConfigError: the length is out of range, or the run has no snapshots.
        ModelFileError: a snapshot is damaged, or of another model.
    """
    if not 0 < length <= MAX_LENGTH:
        raise InvalidConfigError(
            f"average: expected a relative length above 0 and up to {MAX_LENGTH}, got {length:g}"
        )
    out = plan.config.out
    weights = average_snapshots(out / SNAPSHOTS, length)
    plan.initialize(out, False)
    trained = plan.objective.trained
    try:
        trained.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelFileError(f"the snapshots in {out} are of another model: {error}") from None
    folder = out / f"{RESULT}-length-{length:g}"
    trained.eval()
    with torch.no_grad():
        plan.objective.export(folder)
    return folder
