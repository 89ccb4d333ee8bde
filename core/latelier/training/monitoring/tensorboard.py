"""The log of a run for TensorBoard."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from latelier.contracts.errors import InvalidConfigError
from latelier.training.monitoring.log import Listener


def check_tensorboard() -> None:
    """Check that TensorBoard is installed.

    Raises:
        InvalidConfigError: it is not.
    """
    if find_spec("tensorboard") is None:
        raise InvalidConfigError(
            "tensorboard: the package is not installed; run pip install 'latelier[tensorboard]', "
            "or set tensorboard to false"
        )


def open_tensorboard(out: Path, first_step: int) -> Listener:
    """Return a listener that writes the numbers of log lines into `out`/tensorboard.

    A resumed run replaces the events after its first step.
    """
    from torch.utils.tensorboard.writer import SummaryWriter

    writer: Any = SummaryWriter(str(out / "tensorboard"), purge_step=first_step)

    def write(line: Mapping[str, Any]) -> None:
        step = line.get("step")
        prefix = line.get("event", "training")
        for name, value in _flatten(line):
            if name not in {"step", "time"}:
                writer.add_scalar(f"{prefix}/{name}", value, step)
        writer.flush()

    return write


def _flatten(line: Mapping[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    """Return the numbers of a line; those of nested objects have a path as their name."""
    numbers: list[tuple[str, float]] = []
    for name, value in line.items():
        if isinstance(value, Mapping):
            numbers += _flatten(value, f"{prefix}{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            numbers.append((f"{prefix}{name}", float(value)))
    return numbers
