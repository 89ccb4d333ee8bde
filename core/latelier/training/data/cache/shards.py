"""Shards of a cache: safetensors files, each with the tensors of some views.

The metadata of a shard lists its views, so a shard alone is complete: a cache has no index that
could disagree with it. Shards are written atomically, and never changed.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from latelier.contracts.errors import DataError
from latelier.io.atomic import atomic_file

_SUFFIX = ".safetensors"
_ROWS = "views"


@dataclass(frozen=True)
class CachedView:
    """A view of a sample.

    Attributes:
        key: Of the view.
        fields: Its fields that are no tensors, as JSON values.
        tensors: "moments" or "latents", and maps and masks.
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
    rows = [{"key": view.key, "fields": dict(view.fields)} for view in views]
    tensors = {
        f"{row}/{name}": tensor.contiguous()
        for row, view in enumerate(views)
        for name, tensor in view.tensors.items()
    }
    with atomic_file(folder / f"{name}{_SUFFIX}") as partial:
        partial.touch()
        mode = partial.stat().st_mode  # save_file leaves a file that only its owner can read
        try:
            save_file(tensors, partial, {_ROWS: json.dumps(rows)})
        except SafetensorError as error:
            raise OSError(str(error)) from None
        partial.chmod(mode)


class ShardReader:
    """Reads views from the shards of a folder. Data workers may copy it."""

    def __init__(self, folder: Path) -> None:
        self._paths = sorted(folder.glob(f"*{_SUFFIX}"))
        self._open: dict[int, tuple[Any, list[dict[str, Any]], dict[int, list[str]]]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without open files."""
        return {"_paths": self._paths, "_open": {}}

    def list_views(self) -> dict[str, tuple[int, int]]:
        """Return the shard and the row of each view, by key.

        Raises:
            DataError: a shard is damaged.
        """
        return {
            row["key"]: (shard, number)
            for shard in range(len(self._paths))
            for number, row in enumerate(self._shard(shard)[1])
        }

    def read_fields(self, shard: int, row: int) -> dict[str, Any]:
        """Return the fields of a view.

        Raises:
            DataError: the shard is damaged.
        """
        fields: dict[str, Any] = self._shard(shard)[1][row]["fields"]
        return fields

    def read(self, shard: int, row: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return the fields and the tensors of a view.

        Raises:
            DataError: the shard is damaged.
        """
        file, rows, names = self._shard(shard)
        tensors = {name.partition("/")[2]: file.get_tensor(name) for name in names[row]}
        return rows[row]["fields"], tensors

    def _shard(self, number: int) -> tuple[Any, list[dict[str, Any]], dict[int, list[str]]]:
        if number not in self._open:
            path = self._paths[number]
            try:
                file: Any = safe_open(path, framework="pt")
                rows = json.loads((file.metadata() or {})[_ROWS])
            except (SafetensorError, OSError, KeyError, ValueError) as error:
                raise DataError(
                    f"{path}: damaged ({error}); delete it and run 'latelier data cache' again"
                ) from None
            names: dict[int, list[str]] = {row: [] for row in range(len(rows))}
            for name in file.keys():  # noqa: SIM118 - it is no dict
                names[int(name.partition("/")[0])].append(name)
            self._open[number] = (file, rows, names)
        return self._open[number]
