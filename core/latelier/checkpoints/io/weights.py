"""Weights: safetensors files to tensors, and tensors to the weights of a module."""

import errno
import os
import re
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
from latelier.checkpoints.io.shapes import list_faults, list_names
from latelier.contracts.errors import ModelFileError
from latelier.io.atomic import atomic_file
from latelier.io.hashing import sha256_of

M = TypeVar("M", bound=nn.Module)


def write_weights(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> str:
    """Write tensors atomically as safetensors and return the SHA-256 of the file.

    metadata: texts in the header of the file, by name.

    Raises:
        OSError: the file cannot be written; nothing is left of it.
    """
    with atomic_file(path) as temporary:
        save_tensors(temporary, tensors, path, metadata)
        return sha256_of(temporary)


def save_tensors(
    path: Path,
    tensors: Mapping[str, Tensor],
    final: Path | None = None,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write tensors as safetensors, not atomically; errors name the path `final`, if there is one.

    metadata: texts in the header of the file, by name.

    Raises:
        OSError: the file cannot be written.
    """
    path.touch()
    mode = path.stat().st_mode  # save_file would leave a file that only its owner can read
    try:
        save_file(_without_shared_storage(tensors), path, dict(metadata or {}) or None)
    except SafetensorError as error:
        raise _os_error(error, final or path) from None
    path.chmod(mode)


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
    """Assign `tensors` to the weights of `module`, without a copy.

    Args:
        module: may be on the meta device.
        tensors: its complete state dict.
        what: where the tensors come from, for errors.

    Raises:
        ModelFileError: names or shapes differ, or integers meet floating-point numbers. Nothing is
            assigned then.
    """
    expected = module.state_dict()
    faults = list_faults(tensor_shapes(tensors), tensor_shapes(expected))
    faults += list_names(
        "of another dtype",
        [
            f"{name} is {tensors[name].dtype}, not {expected[name].dtype}"
            for name in expected.keys() & tensors.keys()
            if tensors[name].is_floating_point() != expected[name].is_floating_point()
        ],
    )
    if faults:
        raise ModelFileError(
            f"{what}: the weights do not fit this configuration: {'; '.join(faults)}"
        )
    module.load_state_dict(dict(tensors), assign=True)


def tensor_shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor, by name."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def build_on_meta(build: Callable[[], M]) -> M:
    """Return `build()` with its weights on the meta device, to be filled from a file.

    The module is built with storage where it reads the values of its tensors, or holds tensors
    that no file restores: tables and buffers that are not persistent.
    """
    try:
        with meta_device():
            module = build()
    except (RuntimeError, TypeError):
        return build()
    return build() if _has_tensors_beyond_weights(module) else module


@contextmanager
def meta_device() -> Iterator[None]:
    """Build modules on the meta device, without drawing their weights."""
    with torch.device("meta"), _SkipInit():
        yield


_RANDOM_INITS = {nn.init.normal_, Tensor.normal_, Tensor.erfinv_, Tensor.clamp_}


class _SkipInit(TorchFunctionMode):
    """Skips random initialisation of meta tensors.

    torch would do nothing to them either, but only after importing its compiler, which takes longer
    than the rest of loading a small model.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensor = args[0] if args else kwargs.get("tensor")
        if func in _RANDOM_INITS and isinstance(tensor, Tensor) and tensor.is_meta:
            return tensor
        return func(*args, **kwargs)


def _os_error(error: SafetensorError, path: Path) -> OSError:
    """Return the error of the system, such as a full disk, that safetensors wraps in its own."""
    match = re.search(r"os error (\d+)", str(error))
    number = int(match[1]) if match else errno.EIO
    return OSError(number, os.strerror(number), str(path))


def _has_tensors_beyond_weights(module: nn.Module) -> bool:
    weights = module.state_dict().keys()
    return any(
        name not in weights for name, _ in chain(module.named_parameters(), module.named_buffers())
    ) or any(isinstance(v, Tensor) for part in module.modules() for v in vars(part).values())


def _without_shared_storage(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return contiguous tensors, no two of which share storage, as the format requires."""
    separate: dict[str, Tensor] = {}
    storages: set[int] = set()
    for name, tensor in tensors.items():
        contiguous = tensor.detach().contiguous()
        storage = contiguous.untyped_storage().data_ptr()
        separate[name] = contiguous.clone() if storage in storages else contiguous
        storages.add(storage)
    return separate
