"""The averages of a training's weights, and snapshots of them on disk."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from latelier.checkpoints.io.weights import save_tensors
from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.io.atomic import atomic_file
from latelier.training.configs.optimization import EmaConfig
from latelier.training.optimization.ema import Ema
from latelier.training.optimization.post_hoc import combine, post_hoc_coefficients
from latelier.training.step_names import list_steps, step_name, step_of

SNAPSHOTS = "snapshots"
"""Name of the folder of snapshots in the folder of a run."""

_SUFFIX = ".safetensors"


class WeightAverages:
    """Averages of a module's weights, one for each relative length.

    Attributes:
        config: Their lengths and snapshots.
        main: The average of the first length, which is validated, drawn and exported.
    """

    def __init__(self, module: nn.Module, config: EmaConfig) -> None:
        self.config = config
        self._averages = [Ema(module, length) for length in config.lengths]
        self.main = self._averages[0]

    def update(self) -> None:
        """Move all averages towards the module's weights."""
        for each in self._averages:
            each.update()

    def tensors(self) -> dict[str, Tensor]:
        """Return all averages as tensors named "<length>/<name>"."""
        return {
            f"{each.length:g}/{name}": tensor
            for each in self._averages
            for name, tensor in each.weights.items()
        }

    def load(self, tensors: Mapping[str, Tensor], updates: int) -> None:
        """Restore what `tensors` returned, and the number of updates."""
        for each in self._averages:
            prefix = f"{each.length:g}/"
            weights = {
                key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)
            }
            each.load_state(weights, updates)

    def is_snapshot_due(self, step: int, steps: int) -> bool:
        """Return whether a snapshot is stored after `step` steps of a run of `steps`."""
        count = self.config.snapshots
        return count > 0 and step * count // steps > (step - 1) * count // steps


def save_snapshot(folder: Path, step: int, averages: Mapping[str, Tensor]) -> None:
    """Write the tensors of the averages at a step into `folder`, in 16 bits.

    Raises:
        OSError: the file cannot be written.
    """
    tensors = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in averages.items()
    }
    path = folder / f"{step_name(step)}{_SUFFIX}"
    with atomic_file(path) as partial:
        save_tensors(partial, tensors, path)


def list_snapshots(folder: Path) -> list[Path]:
    """Return the snapshots in `folder`, the earliest first; other files are left out."""
    return list_steps(folder, _SUFFIX)


def average_snapshots(folder: Path, length: float, step: int | None = None) -> dict[str, Tensor]:
    """Return the average of a relative length at the step of a snapshot in `folder`.

    Args:
        folder: Of the snapshots.
        length: Relative length of the average.
        step: Of a snapshot, as if the run had ended there; None: of the last one.

    Raises:
        InvalidConfigError: the folder has no snapshots, or none at that step.
        ModelFileError: a snapshot is damaged.
    """
    files = list_snapshots(folder)
    if not files:
        raise InvalidConfigError(
            f"{folder} has no snapshots to average; train with `ema: {{snapshots: 20}}`"
        )
    steps = [step_of(file) for file in files]
    if step is None:
        step = steps[-1]
    elif step not in steps:
        raise InvalidConfigError(
            f"step: {folder} has no snapshot at {step}; it has {', '.join(map(str, steps))}"
        )
    files = files[: steps.index(step) + 1]
    profiles = [(step_of(file), stored) for file in files for stored in _lengths(file)]
    return combine(_read_averages(files), post_hoc_coefficients(profiles, step, length))


def _read_averages(files: Iterable[Path]) -> Iterator[dict[str, Tensor]]:
    """Yield the averages in snapshots one by one: together they may not fit into memory."""
    for file in files:
        for length in _lengths(file):
            prefix = f"{length:g}/"
            with _open(file) as snapshot:
                names = [key for key in snapshot.keys() if key.startswith(prefix)]  # noqa: SIM118
                average = {key.removeprefix(prefix): snapshot.get_tensor(key) for key in names}
            yield average


def _lengths(file: Path) -> list[float]:
    """Return the relative lengths of the averages in a snapshot."""
    with _open(file) as snapshot:
        return sorted({float(key.partition("/")[0]) for key in snapshot.keys()})  # noqa: SIM118


@contextmanager
def _open(file: Path) -> Iterator[Any]:
    try:
        with safe_open(file, "pt") as snapshot:
            yield snapshot
    except (OSError, SafetensorError, ValueError) as error:
        raise ModelFileError(f"the snapshot {file} cannot be read ({error}); delete it") from None
