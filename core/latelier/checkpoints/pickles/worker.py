"""The subprocess that converts one pickle to one safetensors file."""

import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import torch

from latelier.checkpoints.io.weights import write_weights
from latelier.checkpoints.pickles.archive import Archive
from latelier.checkpoints.pickles.sandbox import confine, limits_for
from latelier.checkpoints.pickles.state_dict import state_dict_in
from latelier.checkpoints.pickles.unpickler import unpickle
from latelier.contracts.errors import LatelierError, ModelFileError

REFUSED = 3
"""Exit status for a file that is refused; the standard error says why."""


def main(source: str, destination: str) -> None:
    """Convert a file under limits. Exit with `REFUSED` and one line where it is refused."""
    confine(limits_for(Path(source).stat().st_size), Path(destination).parent)
    try:
        convert(Path(source), Path(destination))
    except MemoryError:
        _refuse(f"{source}: takes more memory than a file of its size should")
    except (LatelierError, PermissionError) as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(f"{source}: its safetensors copy cannot be written: {error.strerror or error}")


def convert(source: Path, destination: Path) -> None:
    """Write the tensors of a checkpoint as safetensors.

    Raises:
        ModelFileError: the checkpoint is damaged or hostile, or holds no tensors.
    """
    tensors = state_dict_in(load_any(source), str(source), source.stat().st_size)
    write_weights(destination, tensors)


def load_any(path: Path) -> Any:
    """Return the content of a checkpoint, by torch's weights-only reader or else by `unpickle`.

    Raises:
        ModelFileError: neither can read it.
    """
    archive = Archive(path) if zipfile.is_zipfile(path) else None
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=archive is not None)
    except MemoryError:
        raise
    except Exception as error:
        if archive is None:
            raise ModelFileError(
                f"{path}: damaged, cut short, or not a checkpoint that can be read safely: "
                f"{_first_line(error)}"
            ) from None
    try:
        return unpickle(archive)
    except pickle.UnpicklingError as error:
        raise ModelFileError(f"{path}: its pickle is damaged or hostile: {error}") from None


def _first_line(error: Exception) -> str:
    if isinstance(error, pickle.UnpicklingError):  # torch's own text advises an unsafe reading
        return "its pickle is damaged, or holds more than tensors"
    return str(error).strip().partition("\n")[0][:200]


def _refuse(reason: str) -> None:
    sys.stderr.write(reason + "\n")
    sys.exit(REFUSED)
