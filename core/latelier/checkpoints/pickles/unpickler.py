"""A reader of pickles that knows tensors, lists and dictionaries, and can run nothing.

Lightning files hold, beside the weights, callbacks and other objects of classes that may not be
installed, and should not be imported. Whatever a pickle names, it gets one of the few things
below, or `Inert`, which swallows all that is done to it.
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
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
    """Return what the pickle of a checkpoint holds, its storages mapped.

    Raises:
        pickle.UnpicklingError, ModelFileError: it is damaged, or does what no checkpoint does.
    """
    try:
        return _Unpickler(archive).load()
    except (pickle.UnpicklingError, ModelFileError):
        raise
    except (ArithmeticError, AttributeError, EOFError, LookupError, TypeError, ValueError) as error:
        raise pickle.UnpicklingError(f"{type(error).__name__}: {error}") from None


class Inert:
    """Stands for an object of a class that is not imported. It does nothing and keeps nothing."""

    __slots__ = ()

    def __new__(cls, *_: Any, **__: Any) -> "Inert":
        """Take any arguments."""
        return super().__new__(cls)

    def __call__(self, *_: Any, **__: Any) -> "Inert":
        """Stand for what it would have returned."""
        return self

    def __setstate__(self, _: Any) -> None:
        """Swallow a state."""

    def __setitem__(self, _: Any, __: Any) -> None:
        """Swallow an item."""

    def append(self, _: Any) -> None:
        """Swallow an element."""

    def extend(self, _: Any) -> None:
        """Swallow elements."""

    def add(self, _: Any) -> None:
        """Swallow a member."""


class _Callable:
    """One of the functions that a pickle may call; it cannot be changed by it."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, _: Any) -> NoReturn:
        raise pickle.UnpicklingError("the pickle changes what it may only call")


class _Storage:
    """A class of storages, told by its numbers' type."""

    __slots__ = ("dtype",)

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype

    def __setstate__(self, _: Any) -> NoReturn:
        raise pickle.UnpicklingError("the pickle changes what it may only name")


class _Items(OrderedDict[Any, Any]):
    """An ordered dictionary without further state (torch keeps versions of modules there)."""

    def __setstate__(self, _: Any) -> None:
        """Swallow a state."""


def _rebuilt(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    """Return a tensor as a view of its storage (count,), within which it must lie."""
    numbers = [offset, *size, *stride]
    if not isinstance(storage, Tensor) or not all(type(n) is int and n >= 0 for n in numbers):
        raise pickle.UnpicklingError("a tensor of no storage, or of no size")
    if len(size) != len(stride):
        raise pickle.UnpicklingError("a tensor with a size and a stride that differ in length")
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


def _parameter(data: Any, *_: Any) -> Any:
    return data


def _dictionary(*items: Any) -> _Items:
    return _Items(*items)


class _Unpickler(pickle.Unpickler):
    def __init__(self, archive: Archive) -> None:
        super().__init__(io.BytesIO(archive.pickle()))
        self._archive = archive
        self._storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str, /) -> Any:
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return _Callable(_rebuilt)
        if module == "torch._utils" and name == "_rebuild_parameter":
            return _Callable(_parameter)
        if module == "collections" and name == "OrderedDict":
            return _Callable(_dictionary)
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
