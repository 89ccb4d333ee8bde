"""What a training consists of, built and checked before anything is written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from latelier.training.configs.training import Training
from latelier.training.evaluator import Evaluator
from latelier.training.objective import Objective


def _skip(out: Path, is_new: bool) -> None:
    """Leave the weights as they are."""


@dataclass(frozen=True)
class TrainingPlan:
    """What a training consists of.

    Attributes:
        config: The training's configuration.
        evaluator: Validates, draws and exports the weights of its objective.
        dataset: The sample of each position, step * batch_size + row.
        initialize: Called once before the first step with the run's folder and whether to write
            into it what a new run begins with: fits what is fitted on data, or reads what was
            fitted. In a new run the first process writes and the others read.
        name_sample: Name of the sample at a position in messages.
        notes: Lines that explain what is trained, for the start of a run and a dry run.
    """

    config: Training
    evaluator: Evaluator
    dataset: Dataset[Any]
    initialize: Callable[[Path, bool], None] = _skip
    name_sample: Callable[[int], str] = str
    notes: Sequence[str] = ()

    @property
    def objective(self) -> Objective:
        """What is trained, with its initial weights."""
        return self.evaluator.objective
