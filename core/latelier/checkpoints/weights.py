"""Reading and writing weights: safetensors, checked before they are used."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from latelier.checkpoints.files import sha256_of, whole
from latelier.kernel.errors import ModelFileError

_HEADER_LIMIT = 8 * 2**20
_TENSOR_LIMIT = 50_000


def write_weights(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """Write tensors whole, as safetensors; return the file's SHA-256."""
    with whole(path) as beside:
        save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, beside)
        return sha256_of(beside)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file, mapped from disk, on the CPU.

    Raises:
        ModelFileError: the file is missing or damaged.
    """
    _check_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, RuntimeError) as error:
        raise ModelFileError(f"{path}: damaged or not a safetensors file: {error}") from None


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """Make `tensors` the weights of `module` (built on the meta device), without a copy.

    Raises:
        ModelFileError: names or shapes differ; nothing is assigned.
    """
    wanted = module.state_dict()
    faults = _listed("missing", wanted.keys() - tensors.keys())
    faults += _listed("unexpected", tensors.keys() - wanted.keys())
    faults += [
        f"'{name}' has the shape {tuple(tensors[name].shape)}, not {tuple(wanted[name].shape)}"
        for name in sorted(wanted.keys() & tensors.keys())
        if tensors[name].shape != wanted[name].shape
    ][:5]
    if faults:
        raise ModelFileError(
            f"{what}: the weights are not this configuration's: {'; '.join(faults)}"
        )
    module.load_state_dict(dict(tensors), assign=True)


@contextmanager
def without_storage() -> Iterator[None]:
    """Build modules on the meta device: their weights come from a file."""
    with torch.device("meta"):
        yield


def _listed(what: str, names: set[str]) -> list[str]:
    if not names:
        return []
    shown = ", ".join(sorted(names)[:5])
    return [f"{len(names)} {what} ({shown}{', ...' if len(names) > 5 else ''})"]


def _check_header(path: Path) -> None:
    """Refuse what the safetensors reader lets pass: repeated keys, leading space, absurd sizes."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > _HEADER_LIMIT:
                raise ModelFileError(
                    f"{path}: damaged or not a safetensors file: its header would be {length} bytes"
                )
            header = file.read(length)
    except FileNotFoundError:
        raise ModelFileError(f"{path}: there is no such file") from None
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from None
    if len(header) != length or not header.startswith(b"{"):
        raise ModelFileError(f"{path}: damaged or not a safetensors file: its header is cut short")
    try:
        names = json.loads(header, object_pairs_hook=_without_repeats)
    except ValueError as error:
        raise ModelFileError(f"{path}: damaged or not a safetensors file: {error}") from None
    if len(names) > _TENSOR_LIMIT:
        raise ModelFileError(f"{path}: {len(names)} tensors are more than any model has")


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("its header names a tensor twice")
    return dict(pairs)
