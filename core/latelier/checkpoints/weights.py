"""Reading and writing weights: safetensors, checked before they are used."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from latelier.checkpoints.files import sha256_of, whole
from latelier.checkpoints.header import read_header
from latelier.kernel.errors import ModelFileError


def write_weights(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """Write tensors whole, as safetensors; return the file's SHA-256."""
    with whole(path) as beside:
        beside.touch()
        mode = beside.stat().st_mode  # save_file would leave a file that only its owner can read
        save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, beside)
        beside.chmod(mode)
        return sha256_of(beside)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file, mapped from disk, on the CPU.

    Raises:
        ModelFileError: the file is missing or damaged.
    """
    read_header(path)
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
