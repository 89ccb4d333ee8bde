"""Reading and writing weights: safetensors, checked before they are used."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from latelier.checkpoints.io.header import read_header
from latelier.contracts.errors import ModelFileError
from latelier.io.atomic import atomic_file
from latelier.io.hashing import sha256_of

M = TypeVar("M", bound=nn.Module)


def write_weights(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """Write tensors atomically as safetensors; return the SHA-256 of the file."""
    with atomic_file(path) as beside:
        beside.touch()
        mode = beside.stat().st_mode  # save_file would leave a file that only its owner can read
        save_file(_without_shared_storage(tensors), beside)
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
    """Make `tensors` the weights of `module`, without a copy.

    Raises:
        ModelFileError: names, shapes or kinds of number differ; nothing is assigned.
    """
    wanted = module.state_dict()
    faults = _listed("missing", wanted.keys() - tensors.keys())
    faults += _listed("unexpected", tensors.keys() - wanted.keys())
    faults += [
        f"'{name}' has the shape {tuple(tensors[name].shape)}, not {tuple(wanted[name].shape)}"
        for name in sorted(wanted.keys() & tensors.keys())
        if tensors[name].shape != wanted[name].shape
    ][:5]
    faults += [
        f"'{name}' is {tensors[name].dtype}, not {wanted[name].dtype}"
        for name in sorted(wanted.keys() & tensors.keys())
        if tensors[name].is_floating_point() != wanted[name].is_floating_point()
    ][:5]
    if faults:
        raise ModelFileError(
            f"{what}: the weights are not this configuration's: {'; '.join(faults)}"
        )
    module.load_state_dict(dict(tensors), assign=True)


_DRAWING = {nn.init.normal_, Tensor.normal_, Tensor.erfinv_, Tensor.clamp_}


class _SkipInit(TorchFunctionMode):
    """Leaves weights without storage undrawn.

    These functions would do nothing to them, but only after importing torch's compiler, which
    takes longer than all the rest of loading a small model.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensor = args[0] if args else kwargs.get("tensor")
        if func in _DRAWING and isinstance(tensor, Tensor) and tensor.is_meta:
            return tensor
        return func(*args, **kwargs)


@contextmanager
def meta_device() -> Iterator[None]:
    """Build modules on the meta device: their weights come from a file."""
    with torch.device("meta"), _SkipInit():
        yield


def build_on_meta(build: Callable[[], M]) -> M:
    """Return `build()` without storage for the weights that a file is to fill.

    A module that needs the values of its tensors as it is built, or that holds tensors which no
    file restores (tables, buffers that are not persistent), is built for real.
    """
    try:
        with meta_device():
            module = build()
    except (RuntimeError, TypeError):
        return build()
    return build() if _holds_more_than_weights(module) else module


def _holds_more_than_weights(module: nn.Module) -> bool:
    weights = module.state_dict().keys()
    return any(
        name not in weights for name, _ in chain(module.named_parameters(), module.named_buffers())
    ) or any(isinstance(v, Tensor) for part in module.modules() for v in vars(part).values())


def _without_shared_storage(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return contiguous tensors of which no two share storage, as the format asks."""
    found: dict[str, Tensor] = {}
    storages: set[int] = set()
    for name, tensor in tensors.items():
        whole_tensor = tensor.detach().contiguous()
        storage = whole_tensor.untyped_storage().data_ptr()
        found[name] = whole_tensor.clone() if storage in storages else whole_tensor
        storages.add(storage)
    return found


def _listed(what: str, names: set[str]) -> list[str]:
    if not names:
        return []
    shown = ", ".join(sorted(names)[:5])
    return [f"{len(names)} {what} ({shown}{', ...' if len(names) > 5 else ''})"]
