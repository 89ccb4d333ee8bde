"""Tensors that are sharded among processes: written by all, read by any number of processes.

FSDP2 splits a weight along its first axis. So a file of each process holds its rows, and the whole
tensor is the files' rows in the order of the processes.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.distributed.tensor import DTensor

from latelier.checkpoints.io.weights import save_tensors


def save_part(
    folder: Path, name: str, tensors: Mapping[str, Tensor], part: tuple[int, int]
) -> None:
    """Write this process's part of the tensors `name` into a folder.

    Args:
        folder: An existing folder.
        name: Name of the tensors together, such as "weights".
        tensors: The tensors by name, the same names in each process.
        part: Rank of this process, and number of processes.

    Raises:
        OSError: the file cannot be written.
    """
    rank, ranks = part
    own = {
        key: tensor.to_local() if isinstance(tensor, DTensor) else tensor
        for key, tensor in tensors.items()
        if isinstance(tensor, DTensor) or rank == 0
    }
    is_whole = not any(isinstance(tensor, DTensor) for tensor in tensors.values())
    if is_whole and rank > 0:
        return
    file = f"{name}.safetensors" if is_whole else _part_name(name, rank, ranks)
    save_tensors(folder / file, own)


def load_tensors(folder: Path, name: str) -> dict[str, Tensor]:
    """Return the whole tensors `name` of a folder, on the CPU.

    Raises:
        OSError: a file is missing.
        SafetensorError: a file is damaged.
    """
    whole = folder / f"{name}.safetensors"
    if whole.exists():
        return load_file(whole)
    files = sorted(folder.glob(f"{name}-*-of-*.safetensors"))
    expected = int(files[0].stem.rsplit("-", 1)[1]) if files else 1
    if len(files) != expected:
        raise FileNotFoundError(f"expected {expected} files {name}, found {len(files)}")
    parts = [load_file(file) for file in files]
    return {
        key: torch.cat([part[key] for part in parts]) if key in parts[-1] else tensor
        for key, tensor in parts[0].items()
    }


def _part_name(name: str, rank: int, ranks: int) -> str:
    return f"{name}-{rank + 1:05d}-of-{ranks:05d}.safetensors"
