"""Steps that are skipped because their loss or gradient is unusable, and when that ends the run."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from latelier.contracts.errors import TrainingError
from latelier.training.checkpoints.checkpoint import FOLDER, list_checkpoints
from latelier.training.configs.operations import FaultConfig
from latelier.training.devices.ranks import error_for_rank
from latelier.training.loop.run import Run

_MEMORY = 0.99
"""Decay of the running mean of the loss: it spans about the last 100 steps."""

_FIRST_STEPS = 50
"""Steps whose mean is not trusted yet."""


@dataclass(frozen=True)
class Fault:
    """Why a step is skipped.

    Attributes:
        reason: What is wrong with its loss or gradient.
        positions: The positions of the samples at fault.
        is_overflow: Whether the gradient overflowed only because of the loss scale of float16.
    """

    reason: str
    positions: Sequence[int]
    is_overflow: bool = False


@dataclass
class FaultDetector:
    """Finds steps to skip. Its state is a part of checkpoints, so a resumed run skips the same.

    Attributes:
        bad_steps: Skipped steps in a row.
        good_steps: Steps that were not skipped.
        mean_loss: Running mean of the loss's absolute value.
    """

    bad_steps: int = 0
    good_steps: int = 0
    mean_loss: float = 0.0

    def find(self, loss: float, limits: FaultConfig | None) -> str | None:
        """Return why the loss of a step is unusable, or None; without limits it may explode."""
        if not math.isfinite(loss):
            return "the loss is not finite"
        if limits is None:
            return None
        limit = limits.max_loss_ratio * self.mean_loss
        if self.good_steps >= _FIRST_STEPS and abs(loss) > limit > 0:
            return f"the loss {loss:.5g} is more than {limits.max_loss_ratio:g} times its mean"
        return None

    def count_bad_step(self) -> None:
        """Count a step that was skipped."""
        self.bad_steps += 1

    def count_good_step(self, loss: float) -> None:
        """Count a step that was taken, and move the running mean towards its loss."""
        self.bad_steps = 0
        self.good_steps += 1
        share = max(1 - _MEMORY, 1 / self.good_steps)
        self.mean_loss += share * (abs(loss) - self.mean_loss)

    def state(self) -> dict[str, float]:
        """Return what `load_state` restores."""
        return asdict(self)

    def load_state(self, state: dict[str, float]) -> None:
        """Restore a saved state."""
        self.bad_steps, self.good_steps = int(state["bad_steps"]), int(state["good_steps"])
        self.mean_loss = state["mean_loss"]


def stop_if_diverged(run: Run, detector: FaultDetector, fault: Fault | None) -> None:
    """Stop the run if too many steps in a row were skipped.

    Raises:
        TrainingError: too many steps in a row were skipped.
    """
    limit = min(run.config.faults.max_bad_steps, run.config.steps)
    if fault is None or detector.bad_steps < limit:
        return
    found = list_checkpoints(run.config.out / FOLDER)
    kept = f"The last good checkpoint is {found[-1]}" if found else "There is no good checkpoint"
    narrow = (
        "numbers that overflow in fp16 (set precision to bf16-mixed or 32-true)"
        if run.config.precision == "16-mixed"
        else "a first stage that overflows, such as one whose weights were made for fp16"
    )
    raise error_for_rank(
        run.fabric,
        TrainingError(
            f"{detector.bad_steps} steps in a row were skipped: {fault.reason}. {kept}. Usual "
            "causes: a learning rate that is too high (lower optimizer.lr or lengthen the "
            f"warm-up), and {narrow}"
        ),
    )
