"""An unpickler of tensors, lists and dictionaries that can run nothing.

Checkpoints of Lightning also hold callbacks and other objects, whose classes may not be installed
and should not be imported. Every name in a pickle becomes one of the few functions below, or
`Inert`, which ignores whatever is done to it.
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import torch
from torch import Tensor

from latelier.checkpoints.pickles.archive import Archive
from latelier.contracts.errors import ModelFileError

_STORAGES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


def unpickle(archive: Archive) -> Any:
    """Return the content of a checkpoint's pickle, its storages mapped from disk.

    Raises:
        pickle.UnpicklingError, ModelFileError: the pickle is damaged, or does what no checkpoint
            does.
    """
    try:
        return _Unpickler(archive).load()
    except (pickle.UnpicklingError, ModelFileError):
        raise
    except (ArithmeticError, AttributeError, EOFError, LookupError, TypeError, ValueError) as error:
        raise pickle.UnpicklingError(f"{type(error).__name__}: {error}") from None


class Inert:
    """Stands in for an object of a class that is not imported. It does and keeps nothing."""

    __slots__ = ()

    def __new__(cls, *_: Any, **__: Any) -> "Inert":
        """Accept any arguments."""
        return super().__new__(cls)

    def __call__(self, *_: Any, **__: Any) -> "Inert":
        """Return itself in place of a result."""
        return self

    def __setstate__(self, _: Any) -> None:
        """Ignore a state."""

    def __setitem__(self, _: Any, __: Any) -> None:
        """Ignore an item."""

    def append(self, _: Any) -> None:
        """Ignore an element."""

    def extend(self, _: Any) -> None:
        """Ignore elements."""

    def add(self, _: Any) -> None:
        """Ignore a member."""


class _Callable:
    """One of the functions that a pickle may call, and cannot change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, _: Any) -> NoReturn:
        raise pickle.UnpicklingError("the pickle changes what it may only call")


class _Storage:
    """A class of storages, such as torch.FloatStorage."""

    __slots__ = ("dtype",)

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype

    def __setstate__(self, _: Any) -> NoReturn:
        raise pickle.UnpicklingError("the pickle changes what it may only name")


class _Items(OrderedDict[Any, Any]):
    """An ordered dictionary that drops its attributes, where torch keeps versions of modules."""

    def __setstate__(self, _: Any) -> None:
        """Ignore a state."""


class _Parameters(OrderedDict[Any, Any]):
    """A `torch.nn.ParameterDict`, whose state has its parameters; old embeddings are in one."""

    def __setstate__(self, state: Any) -> None:
        """Take the parameters, and ignore the rest."""
        held = state.get("_parameters") if isinstance(state, Mapping) else None
        if isinstance(held, Mapping):
            self.update(held)


def _rebuild_tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    """Return a tensor as a view of its storage (count,), after checking that it lies within."""
    numbers = [offset, *size, *stride]
    if not isinstance(storage, Tensor) or not all(type(n) is int and n >= 0 for n in numbers):
        raise pickle.UnpicklingError("a tensor without storage or size")
    if len(size) != len(stride):
        raise pickle.UnpicklingError("a tensor whose size and stride differ in length")
    count, last = 1, offset
    for length, step in zip(size, stride, strict=True):
        count *= length
        last += (length - 1) * step
    if count and last >= len(storage):
        raise pickle.UnpicklingError("a tensor beyond the end of its storage")
    if count > len(storage):
        raise pickle.UnpicklingError("a tensor with more numbers than its storage")
    if not count:
        return torch.empty(size, dtype=storage.dtype)
    return storage.as_strided(size, stride, offset)


def _rebuild_parameter(data: Any, *_: Any) -> Any:
    return data


def _build_dictionary(*items: Any) -> _Items:
    return _Items(*items)


class _Unpickler(pickle.Unpickler):
    def __init__(self, archive: Archive) -> None:
        super().__init__(io.BytesIO(archive.pickle()))
        self._archive = archive
        self._storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str, /) -> Any:
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return _Callable(_rebuild_tensor)
        if module == "torch._utils" and name == "_rebuild_parameter":
            return _Callable(_rebuild_parameter)
        if module == "collections" and name == "OrderedDict":
            return _Callable(_build_dictionary)
        if module == "torch.nn.modules.container" and name == "ParameterDict":
            return _Parameters
        if module == "torch" and name in _STORAGES:
            return _Storage(_STORAGES[name])
        return Inert

    def persistent_load(self, pid: Any) -> Any:
        known = isinstance(pid, tuple) and len(pid) == 5 and pid[0] == "storage"
        if not known or not isinstance(pid[1], _Storage):
            return Inert()
        _, storage, key, _, count = pid
        if not isinstance(key, str) or type(count) is not int or count < 0:
            raise pickle.UnpicklingError("a storage without name or length")
        if key not in self._storages:
            self._storages[key] = self._archive.storage(key, storage.dtype, count)
        if self._storages[key].dtype != storage.dtype:
            raise pickle.UnpicklingError(f"storage '{key}' has two types")
        return self._storages[key]
