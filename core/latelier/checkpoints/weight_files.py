"""Opening a file of weights in any known format, recognized by its content and not by its name."""

from pathlib import Path

from torch import Tensor

from latelier.checkpoints.io.header import read_header
from latelier.checkpoints.io.weights import read_weights
from latelier.checkpoints.pickles.copies import ConvertedCopies
from latelier.contracts.errors import ModelFileError

_ZIP = b"PK\x03\x04"
_PICKLE = b"\x80"
_FOREIGN = {
    b"GGUF": "is a GGUF file, whose weights are quantised; import the original safetensors",
    b"\x89HDF": "is an HDF5 file (Keras); import safetensors or a PyTorch checkpoint",
    b"\x93NUMPY": "is a NumPy array, and no model",
    b"version https://git-lfs": "is a Git LFS pointer in place of the file: run `git lfs pull`",
    b"<!DOCTYPE": "is a web page: the download has failed, perhaps because it needs a login",
    b"<!doctype": "is a web page: the download has failed, perhaps because it needs a login",
    b"<html": "is a web page: the download has failed, perhaps because it needs a login",
    b"\x1f\x8b": "is a gzip archive; unpack it first",
    b"Rar!": "is a RAR archive; unpack it first",
    b"7z\xbc\xaf": "is a 7z archive; unpack it first",
    b"\x89PNG": "is a picture",
    b"\xff\xd8\xff": "is a picture",
}
"""First bytes of a file -> what it is, and what to do."""

_SUFFIXES = {
    ".onnx": "is an ONNX graph; import the folder of the original model",
    ".msgpack": "holds weights of Flax; import safetensors or a PyTorch checkpoint",
    ".h5": "holds weights of TensorFlow; import safetensors or a PyTorch checkpoint",
    ".pb": "holds a TensorFlow graph; import safetensors or a PyTorch checkpoint",
    ".tflite": "holds a TensorFlow graph; import safetensors or a PyTorch checkpoint",
}


def is_weight_file(path: Path) -> bool:
    """Return whether a file begins like safetensors or a PyTorch checkpoint."""
    try:
        start = _read_start(path)
    except ModelFileError:
        return False
    return _is_safetensors(start) or start.startswith((_ZIP, _PICKLE))


def is_safetensors(path: Path) -> bool:
    """Return whether a file begins like safetensors.

    Raises:
        ModelFileError: the file cannot be read.
    """
    return _is_safetensors(_read_start(path))


def explain_foreign(path: Path) -> str | None:
    """Return what a file of another format is, and what to do; None where that is not known.

    Raises:
        ModelFileError: the file cannot be read.
    """
    start = _read_start(path)
    for magic, text in _FOREIGN.items():
        if start.startswith(magic):
            return text
    return _SUFFIXES.get(path.suffix.lower()) or ("is empty" if not start else None)


def as_safetensors(path: Path, copies: ConvertedCopies) -> Path:
    """Return `path` if it is a safetensors file, and the copy of a pickle.

    Raises:
        ModelFileError: the file is missing, damaged, hostile, or of another format.
    """
    start = _read_start(path)
    if _is_safetensors(start):
        return path
    if start.startswith((_ZIP, _PICKLE)):
        return copies.find_or_make(path)
    foreign = explain_foreign(path)
    raise ModelFileError(
        f"{path}: {foreign or 'is neither a safetensors file nor a PyTorch checkpoint'}"
    )


def shapes_of(path: Path, copies: ConvertedCopies | None = None) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor in a file of weights, by name.

    Args:
        path: of the file.
        copies: keeps the copy of a pickle for later calls; None: convert it for this call.

    Raises:
        ModelFileError: see `as_safetensors`.
    """
    copies = copies or ConvertedCopies()
    header = read_header(as_safetensors(path, copies))
    return {name: tuple(tensor["shape"]) for name, tensor in header.items()}


def tensors_of(path: Path, copies: ConvertedCopies | None = None) -> dict[str, Tensor]:
    """Return the tensors of a file of weights, mapped from disk, on the CPU.

    Args:
        path: of the file.
        copies: see `shapes_of`.

    Raises:
        ModelFileError: see `as_safetensors`.
    """
    copies = copies or ConvertedCopies()
    return read_weights(as_safetensors(path, copies))


def _is_safetensors(start: bytes) -> bool:
    return start[8:9] == b"{" and not start.startswith(tuple(_FOREIGN))


def _read_start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(32)
    except FileNotFoundError:
        raise ModelFileError(f"{path}: not found") from None
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from None
