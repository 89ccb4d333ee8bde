"""Writing a cache: views of samples, encoded by the first stage."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from latelier.data.pictures import UnusableError
from latelier.training.configs.data import DataConfig
from latelier.training.data.cache.plan import CacheTask
from latelier.training.data.cache.shards import CachedView, write_shard
from latelier.training.data.cache.views import view_generator
from latelier.training.data.source import SampleSource

SHARD_VIEWS = 256
"""Views in a shard; a killed process loses at most as many."""

R = TypeVar("R")

_BATCH = 16
"""Pictures that are encoded together."""


@dataclass(frozen=True)
class ViewResult:
    """A view that was stored, or the reason why it could not be.

    Attributes:
        task: The view.
        reason: Why it cannot be used; None if it was stored.
    """

    task: CacheTask
    reason: str | None = None


def write_views(
    folder: Path,
    tasks: Sequence[CacheTask],
    sources: Sequence[SampleSource],
    config: DataConfig,
    encoder: "Encoder",
    workers: int,
) -> Iterator[ViewResult]:
    """Encode views and write them in shards; yield each once its shard is written.

    Args:
        folder: of the cache.
        tasks: views to store.
        sources: of the samples.
        config: of the data.
        encoder: makes the tensors of views.
        workers: processes that read pictures.

    Raises:
        OSError: a shard cannot be written.
    """
    views = _Views(tasks, sources, config)
    loader = DataLoader(
        views,
        batch_size=None,
        collate_fn=_keep,  # the default one makes tensors of arrays
        num_workers=workers,
        generator=torch.Generator(),
    )
    stored: list[tuple[CacheTask, CachedView]] = []
    for batch in _group_by_size(loader):
        if isinstance(batch, ViewResult):
            yield batch
            continue
        stored += encoder.encode(batch)
        if len(stored) >= SHARD_VIEWS:
            yield from _write(folder, stored)
            stored = []
    if stored:
        yield from _write(folder, stored)


class Encoder:
    """Encodes pictures as the tensors of a cache."""

    def __init__(self, first_stage: Any, device: torch.device, dtype: torch.dtype) -> None:
        """Create the encoder of a first stage, which is moved to `device`."""
        self._first_stage = first_stage.to(device)
        self._device = device
        self._dtype = dtype

    def encode(self, batch: "_Batch") -> Iterator[tuple[CacheTask, CachedView]]:
        """Yield the view of each sample; their pictures have one size."""
        images = torch.stack([sample["image"] for _, sample in batch]).to(self._device)
        name, encoded = encode_pictures(self._first_stage, images)
        for (task, sample), each in zip(batch, encoded.to("cpu", self._dtype), strict=True):
            arrays, fields = dict[str, Tensor](), dict[str, Any]()
            for field, value in sample.items():
                if isinstance(value, np.ndarray):
                    arrays[field] = torch.from_numpy(_to_signed(value))
                elif field not in ("image", "index", "references"):  # scenes draw these again
                    fields[field] = value
            yield task, CachedView(task.key, fields, {name: each.clone(), **arrays})


def encode_pictures(first_stage: Any, images: Tensor) -> tuple[str, Tensor]:
    """Return "moments" (B, 2 C, h, w) of a Gaussian posterior, or else "latents" (B, C, h, w).

    Moments are mean and log-variance of the latents as the denoiser takes them, so scaled.
    """
    with torch.no_grad():
        if not hasattr(first_stage, "posterior"):
            return "latents", first_stage.encode(images)
        mean, logvar = first_stage.posterior(images)
        scale = first_stage.config.scale_factor
        return "moments", torch.cat([mean * scale, logvar + 2 * np.log(scale)], dim=1)


_Batch = list[tuple[CacheTask, dict[str, Any]]]


def _write(folder: Path, stored: Sequence[tuple[CacheTask, CachedView]]) -> Iterator[ViewResult]:
    write_shard(folder, [view for _, view in stored])
    return (ViewResult(task) for task, _ in stored)


def _group_by_size(
    results: Iterable[tuple[CacheTask, dict[str, Any] | str]],
) -> Iterator[_Batch | ViewResult]:
    """Yield batches of samples whose pictures have one size, and samples that cannot be used."""
    waiting: dict[tuple[int, ...], _Batch] = {}
    for task, sample in results:
        if isinstance(sample, str):
            yield ViewResult(task, sample)
            continue
        size = tuple(sample["image"].shape)
        waiting.setdefault(size, []).append((task, sample))
        if len(waiting[size]) == _BATCH:
            yield waiting.pop(size)
    yield from waiting.values()


def _keep(result: R) -> R:
    return result


def _to_signed(array: Any) -> Any:
    """Return labels as a type that safetensors has in every version."""
    return array.astype(np.int32) if array.dtype == np.uint16 else array


class _Views(Dataset[tuple[CacheTask, dict[str, Any] | str]]):
    """The views of tasks as samples with an image, or the reason why there is none."""

    def __init__(
        self, tasks: Sequence[CacheTask], sources: Sequence[SampleSource], config: DataConfig
    ) -> None:
        self._tasks = tasks
        self._sources = sources
        self._config = config

    def __len__(self) -> int:
        return len(self._tasks)

    def __getitem__(self, place: int) -> tuple[CacheTask, dict[str, Any] | str]:
        task = self._tasks[place]
        source = self._sources[task.source]
        generator = view_generator(source.sample_name(task.number), task.view, self._config)
        try:
            return task, source.show(task.number, task.size, generator)
        except UnusableError as error:
            return task, str(error)
