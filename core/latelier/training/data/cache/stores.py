"""A store: one kind of what a cache holds of each view, in a folder of its own."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latelier.io.atomic import write_json
from latelier.training.data.cache.plan import CacheTask
from latelier.training.data.cache.shards import CachedView
from latelier.training.data.source import SampleSource

_UNUSABLE_FILE = "unusable.json"


class Store(ABC):
    """The latents of views, or the outputs of one conditioner for them.

    Attributes:
        folder: Of its shards.
        is_random: Whether the views of a sample differ even where crop and flip do not.
    """

    folder: Path
    is_random: bool = False

    @abstractmethod
    def check(self) -> None:
        """Check that the folder holds what the configuration expects.

        Raises:
            DataError: it holds nothing, or what another network has made.
        """

    @abstractmethod
    def prepare_folder(self) -> None:
        """Mark a new folder as that of the configuration, or check one that exists.

        Raises:
            DataError: the folder holds what another network has made.
            OSError: it cannot be written.
        """

    @abstractmethod
    def key_of(self, task: CacheTask, source: SampleSource) -> str:
        """Return the key of a view."""

    @abstractmethod
    def prepare(self, sample: Mapping[str, Any], task: CacheTask, name: str) -> dict[str, Any]:
        """Return what `encode` needs of a sample: tensors, and fields in JSON.

        Data workers call it.

        Args:
            sample: the view, with its image.
            task: of the view.
            name: of the sample.

        Raises:
            UnusableError: the sample cannot be used.
        """

    @abstractmethod
    def encode(
        self, keys: Sequence[str], rows: Sequence[Mapping[str, Any]], device: torch.device
    ) -> list[CachedView]:
        """Return the views of prepared rows, whose tensors have the same shapes.

        Raises:
            DataError: a number does not fit into the type of the cache.
        """

    def read_unusable(self) -> dict[str, str]:
        """Return why views could not be made when the cache was written, by key."""
        return read_reasons(self.folder / _UNUSABLE_FILE)

    def write_unusable(self, reasons: Mapping[str, str]) -> None:
        """Store why views cannot be made, by key."""
        write_json(self.folder / _UNUSABLE_FILE, dict(reasons))


def read_reasons(path: Path) -> dict[str, str]:
    """Return why something could not be stored, by key; nothing if the file cannot be read."""
    try:
        values: Any = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def shapes_of(row: Mapping[str, Any]) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of the tensors of a prepared row, by which rows are joined."""
    return tuple(tuple(each.shape) for each in row.values() if isinstance(each, Tensor))
