"""Opening a file of weights, whatever it is: told by its content, never by its name."""

from pathlib import Path

from torch import Tensor

from latelier.checkpoints.io.header import read_header
from latelier.checkpoints.io.weights import read_weights
from latelier.checkpoints.pickles.conversion import convert_pickle
from latelier.contracts.errors import ModelFileError

_ZIP = b"PK\x03\x04"

_PICKLE = b"\x80"


def is_weights(path: Path) -> bool:
    """Tell whether a file begins as safetensors or as a checkpoint of torch does."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError:
        return False
    return start[8:] == b"{" or start.startswith((_ZIP, _PICKLE))


def as_safetensors(path: Path) -> Path:
    """Return `path` if it is a safetensors file; for a pickle, the safetensors file made of it.

    Raises:
        ModelFileError: it is missing, of no known format, damaged, or hostile.
    """
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except FileNotFoundError:
        raise ModelFileError(f"{path}: there is no such file") from None
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from None
    if start[8:] == b"{":
        return path
    if start.startswith((_ZIP, _PICKLE)):
        return convert_pickle(path)
    raise ModelFileError(f"{path}: is neither a safetensors file nor a checkpoint of torch")


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor in a file of weights, by name.

    Raises:
        ModelFileError: see `as_safetensors`.
    """
    header = read_header(as_safetensors(path))
    return {name: tuple(tensor["shape"]) for name, tensor in header.items()}


def tensors_of(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file of weights, mapped from disk, on the CPU.

    Raises:
        ModelFileError: see `as_safetensors`.
    """
    return read_weights(as_safetensors(path))
