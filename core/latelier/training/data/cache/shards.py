"""Shards of a cache: safetensors files, each with the tensors of some views.

A shard lists its views, so a shard alone is complete: a cache has no index that could disagree with
it. Shards are written atomically, and never changed. They are mapped into memory, and what is not
used is not read: besides the tensors of `packing` a shard has

keys    (views, 16) uint8
fields  (bytes,) uint8: a JSON object for each view, one after another
ends    (views,) int64: place after the fields of each view
"""

import hashlib
import itertools
import json
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from latelier.contracts.errors import DataError
from latelier.io.atomic import atomic_file
from latelier.training.data.cache.packing import PackedRows, pack_rows

SHARD_VIEWS = 256
"""Views in a shard; a killed process loses at most as many."""

_SUFFIX = ".safetensors"
_KEYS, _FIELDS, _ENDS = "keys", "fields", "ends"


@dataclass(frozen=True)
class CachedView:
    """A view of a sample.

    Attributes:
        key: Of the view, 32 hexadecimal digits.
        fields: Its fields that are no tensors, as JSON values.
        tensors: Such as "moments" or "latents", and maps and masks.
    """

    key: str
    fields: Mapping[str, Any]
    tensors: Mapping[str, Tensor]


def write_shard(folder: Path, views: Sequence[CachedView]) -> None:
    """Write views as one shard.

    Raises:
        OSError: the shard cannot be written; nothing is left of it.
    """
    name = hashlib.blake2b("".join(view.key for view in views).encode(), digest_size=8).hexdigest()
    keys = b"".join(bytes.fromhex(view.key) for view in views)
    fields = [json.dumps(dict(view.fields)).encode() for view in views]
    tensors = {
        _KEYS: _to_tensor(keys).view(len(views), -1),
        _FIELDS: _to_tensor(b"".join(fields)),
        _ENDS: torch.tensor(list(itertools.accumulate(map(len, fields)))),
        **pack_rows([view.tensors for view in views]),
    }
    with atomic_file(folder / f"{name}{_SUFFIX}") as partial:
        partial.touch()
        mode = partial.stat().st_mode  # save_file leaves a file that only its owner can read
        try:
            save_file(tensors, partial)
        except SafetensorError as error:
            raise OSError(str(error)) from None
        partial.chmod(mode)


class ShardReader:
    """Reads views from the shards of a folder. Data workers may copy it."""

    def __init__(self, folder: Path) -> None:
        self._paths = sorted(folder.glob(f"*{_SUFFIX}"))
        self._open: dict[int, _Shard] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without open files."""
        return {"_paths": self._paths, "_open": {}}

    def list_views(self) -> dict[str, tuple[int, int]]:
        """Return the shard and the row of each view, by key.

        Raises:
            DataError: a shard is damaged.
        """
        return {
            key: (shard, row)
            for shard in range(len(self._paths))
            for row, key in enumerate(self._shard(shard).list_keys())
        }

    def read_fields(self, shard: int, row: int) -> dict[str, Any]:
        """Return the fields of a view.

        Raises:
            DataError: the shard is damaged.
        """
        return self._shard(shard).read_fields(row)

    def read(self, shard: int, row: int) -> dict[str, Tensor]:
        """Return the tensors of a view, mapped from the file.

        Raises:
            DataError: the shard is damaged.
        """
        return self._shard(shard).rows.read(row)

    def _shard(self, number: int) -> "_Shard":
        if number not in self._open:
            path = self._paths[number]
            try:
                self._open[number] = _Shard(path)
            except (SafetensorError, OSError, KeyError, ValueError) as error:
                raise DataError(
                    f"{path}: damaged ({error}); delete it and run 'latelier data cache' again"
                ) from None
        return self._open[number]


class _Shard:
    """An open shard.

    Attributes:
        rows: The tensors of its views.
    """

    def __init__(self, path: Path) -> None:
        file: Any = safe_open(path, framework="pt")
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
        self._keys = tensors[_KEYS].numpy()
        self._fields = memoryview(tensors[_FIELDS].numpy())
        self._ends = array("q", [0, *tensors[_ENDS].tolist()])
        self.rows = PackedRows(tensors)

    def list_keys(self) -> list[str]:
        """Return the keys of its views, in order."""
        return [key.tobytes().hex() for key in self._keys]

    def read_fields(self, row: int) -> dict[str, Any]:
        """Return the fields of a view."""
        text = bytes(self._fields[self._ends[row] : self._ends[row + 1]])
        fields: dict[str, Any] = json.loads(text)
        return fields


def _to_tensor(data: bytes) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)
