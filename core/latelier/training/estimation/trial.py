"""A training that is set up to try steps; nothing of it is kept."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from latelier.kernel.atelier import Atelier
from latelier.training.configs.training import Training
from latelier.training.devices.fabric import make_fabric
from latelier.training.loop.plan import TrainingPlan
from latelier.training.loop.run import Run
from latelier.training.loop.state import TrainingState

C = TypeVar("C", bound=Training)


@dataclass(frozen=True)
class Trial:
    """A training that is set up to try steps.

    Attributes:
        plan: What is trained.
        run: Its devices, and a temporary folder.
        state: What a step changes.
    """

    plan: TrainingPlan
    run: Run
    state: TrainingState

    def take_step(self, step: int, micro_batches: Sequence[Any]) -> None:
        """Take a step as if it were number `step`, from 0."""
        self.state.step = step
        self.state.take_step(micro_batches)

    def collate(self, size: int) -> Any:
        """Return a micro-batch of the first samples."""
        count = len(self.plan.dataset)  # type: ignore[arg-type]
        return self.plan.objective.collate([self.plan.dataset[k % count] for k in range(size)])


@contextmanager
def open_trial(
    make_plan: Callable[[C, Atelier], TrainingPlan], config: C, atelier: Atelier
) -> Iterator[Trial]:
    """Set a training up in a temporary folder.

    Raises:
        LatelierError: the training cannot be set up.
    """
    with TemporaryDirectory(prefix="latelier-") as folder:
        config = config.model_copy(update={"out": Path(folder)})
        run = Run(config, make_fabric(config), None)
        _ = run.split  # raises if the batch cannot be split
        plan = make_plan(config, atelier)
        plan.initialize(config.out, True)
        yield Trial(plan, run, TrainingState(plan.objective, run))
