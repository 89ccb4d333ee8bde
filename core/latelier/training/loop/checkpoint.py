"""Checkpoints of a run: all that the next step depends on, as safetensors and JSON.

A checkpoint is a folder `step-NNNNNNNN`. It is written atomically, so it is complete if it exists.
The last two are kept.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from latelier.contracts.errors import ModelFileError
from latelier.io.atomic import atomic_folder

_KEPT = 2

_PREFIX = "step-"

_FILES = ("weights", "ema", "optimizer")


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run.

    Attributes:
        step: Number of steps taken.
        weights: State dict of the trained modules.
        ema: Their average.
        optimizer: Tensors named "<parameter>/<slot>".
        state: Small values, stored as JSON.
    """

    step: int
    weights: dict[str, Tensor]
    ema: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    state: dict[str, Any]


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint into `folder`, delete all but the last two, and return its path."""
    final = folder / f"{_PREFIX}{checkpoint.step:08d}"
    _delete_partial(folder)
    with atomic_folder(final) as partial:
        for name in _FILES:
            tensors = {key: t.contiguous() for key, t in getattr(checkpoint, name).items()}
            save_file(tensors, partial / f"{name}.safetensors")
        state = {"step": checkpoint.step, **checkpoint.state}
        (partial / "state.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
    for old in list_checkpoints(folder)[:-_KEPT]:
        shutil.rmtree(old)
    return final


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in `folder`, the earliest first."""
    return sorted(folder.glob(f"{_PREFIX}*")) if folder.is_dir() else []


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        ModelFileError: a file of the checkpoint is missing or damaged.
    """
    try:
        state = json.loads((path / "state.json").read_text(encoding="utf-8"))
        weights, ema, optimizer = (load_file(path / f"{name}.safetensors") for name in _FILES)
        return Checkpoint(int(state.pop("step")), weights, ema, optimizer, state)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelFileError(
            f"the checkpoint {path} cannot be read ({error}); delete it to resume from the one "
            "before it"
        ) from None


def _delete_partial(folder: Path) -> None:
    """Delete what a killed process left behind; only one run at a time writes into `folder`."""
    for partial in folder.glob(".*.part"):
        shutil.rmtree(partial)
