"""Checkpoints of a run: all that the next step depends on, as safetensors and JSON.

A checkpoint is a folder `step-NNNNNNNN`. `CheckpointWriter` writes it atomically, so it
is complete if it exists.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from latelier.contracts.errors import ModelFileError
from latelier.training.checkpoints.shards import load_tensors, save_part
from latelier.training.step_names import list_steps

FOLDER = "checkpoints"
"""Name of the folder of checkpoints in the folder of a run."""

FORMAT = 1
"""Version of the format. It changes when older versions of latelier could not read it."""

_GROUPS = ("weights", "ema", "optimizer")

_STATE = "state.json"


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run.

    Attributes:
        step: Number of steps taken.
        weights: State dicts of the players.
        ema: The averages of the model's weights, named "<length>/<name>".
        optimizer: Tensors named "<parameter>/<slot>".
        state: Small values, stored as JSON.
    """

    step: int
    weights: dict[str, Tensor]
    ema: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    state: dict[str, Any]

    def average(self, length: float) -> dict[str, Tensor]:
        """Return the average of a relative length, by the names of the weights."""
        prefix = f"{length:g}/"
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in self.ema.items()
            if name.startswith(prefix)
        }


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in `folder`, the earliest first; other files are left out."""
    return list_steps(folder)


def write_tensors(folder: Path, checkpoint: Checkpoint, part: tuple[int, int] = (0, 1)) -> None:
    """Write a process's part of the tensors; `part` is its rank and the number of processes."""
    for group in _GROUPS:
        save_part(folder, group, getattr(checkpoint, group), part)


def write_state(folder: Path, checkpoint: Checkpoint) -> None:
    """Write the small values."""
    state = {"format": FORMAT, "step": checkpoint.step, **checkpoint.state}
    (folder / _STATE).write_text(json.dumps(state, indent=1), encoding="utf-8")


def read_state(path: Path) -> dict[str, Any]:
    """Read the small values of a checkpoint, with "format" and "step".

    Raises:
        ModelFileError: the file is missing or damaged, or of another version of the format.
    """
    try:
        state = json.loads((path / _STATE).read_text(encoding="utf-8"))
        found = state["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise unreadable(path, error) from None
    if found != FORMAT:
        raise ModelFileError(
            f"the checkpoint {path} has the format {found}; expected {FORMAT}: resume with the "
            "version of latelier that wrote it, or name another out"
        )
    return state


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint, of any number of processes.

    Raises:
        ModelFileError: a file of the checkpoint is missing or damaged, or the checkpoint has
            another version of the format.
    """
    state = read_state(path)
    del state["format"]
    try:
        weights, ema, optimizer = (load_tensors(path, group) for group in _GROUPS)
        return Checkpoint(int(state.pop("step")), weights, ema, optimizer, state)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: Exception) -> ModelFileError:
    """Return the error of a damaged checkpoint."""
    return ModelFileError(
        f"the checkpoint {path} cannot be read ({error}); delete it to resume from the one before "
        "it"
    )
