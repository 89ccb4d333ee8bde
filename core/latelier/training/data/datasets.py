"""The data sets of a training, and the batches of their samples."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from latelier.contracts.errors import DataError, InvalidConfigError
from latelier.contracts.frozen import validate
from latelier.data.converters.recognize import open_manifest
from latelier.data.emoji_scenes.scene import SceneConfig
from latelier.data.manifest.manifest import Manifest
from latelier.data.measure import measure_pictures
from latelier.data.pictures import UnusableError
from latelier.training.configs.data import DataConfig, Source
from latelier.training.configs.training import Training
from latelier.training.data.buckets import BucketOrder, bucket_sizes, nearest_buckets
from latelier.training.data.order import Mixture
from latelier.training.data.randomness import DataPurpose, data_generator
from latelier.training.data.report import REPORT_FILE, DataReport
from latelier.training.data.sources import (
    ManifestSource,
    SampleDraws,
    SampleSource,
    SceneSource,
    picture_size,
)
from latelier.training.data.split import split_samples

_ATTEMPTS = 64
"""Samples that are tried in place of one that cannot be used."""


class TrainingSamples(Dataset[dict[str, Any]]):
    """The samples of a training by position.

    A sample that cannot be used is replaced by another one of its source, which its number alone
    determines, and is reported.
    """

    def __init__(
        self,
        sources: Sequence[SampleSource],
        mixture: Mixture,
        length: int,
        config: DataConfig,
        buckets: BucketOrder | None = None,
        report: DataReport | None = None,
    ) -> None:
        self.sources = sources
        self._mixture = mixture
        self._length = length
        self._seed = config.seed
        self._buckets = buckets
        self._report = report or DataReport(None)
        self._check: Callable[[Mapping[str, Any]], None] = _accept

    def with_check(self, check: Callable[[Mapping[str, Any]], None]) -> "TrainingSamples":
        """Return the samples without those for which `check` raises `UnusableError`."""
        checked = copy(self)
        checked._check = check
        return checked

    def __len__(self) -> int:
        """Return the number of positions."""
        return self._length

    def __getitem__(self, position: int) -> dict[str, Any]:
        """Return the sample at a position.

        Raises:
            DataError: neither this sample nor any that could replace it can be used.
        """
        if not 0 <= position < self._length:
            raise IndexError(f"position {position} is outside 0..{self._length - 1}")
        draw, size = self._buckets.locate(position) if self._buckets else (position, None)
        source, number = self._mixture.locate(draw)
        sample = self._read(self.sources[source], number, size, SampleDraws(self._seed, position))
        return {**sample, "index": position}

    def describe(self, position: int) -> dict[str, Any]:
        """Return the fields of the sample at a position that need no picture, such as "prompt"."""
        draw = self._buckets.locate(position)[0] if self._buckets else position
        source, number = self._mixture.locate(draw)
        draws = SampleDraws(self._seed, position)
        return {**self.sources[source].describe(number, draws), "index": position}

    def name_of(self, position: int) -> str:
        """Return the position and the name of its sample, such as a file, for messages."""
        draw = self._buckets.locate(position)[0] if self._buckets else position
        source, number = self._mixture.locate(draw)
        return f"{position} ({self.sources[source].sample_name(number)})"

    def _read(
        self, source: SampleSource, number: int, size: tuple[int, int] | None, draws: SampleDraws
    ) -> dict[str, Any]:
        reasons = []
        for candidate in _candidates(number, source.length, self._seed):
            try:
                sample = source.read(candidate, size, draws)
                self._check(sample)
            except UnusableError as error:
                name = source.sample_name(candidate)
                self._report.add(source.name, name, str(error))
                reasons.append(f"{name}: {error}")
            else:
                return sample
        raise DataError(f"{source.name}: none of {len(reasons)} samples can be used: {reasons[0]}")


def make_training_samples(config: Training) -> TrainingSamples:
    """Return the samples of all steps of a training.

    Raises:
        InvalidConfigError: a field of the scenes' configuration is invalid.
        DataError: a data set is missing, empty or damaged.
    """
    data = config.data
    sources = [_make_source(source, data) for source in data.all_sources]
    return _mix(
        sources,
        data,
        config.steps * config.batch_size,
        config.batch_size,
        DataReport(config.out / REPORT_FILE),
    )


def make_held_out_samples(config: Training, count: int) -> TrainingSamples:
    """Return at most `count` samples that training never uses, each once.

    All have one size, also with buckets, and none is cropped or flipped at random.

    Raises:
        InvalidConfigError: a field of the scenes' configuration is invalid.
        DataError: a data set is missing, empty or damaged.
    """
    plain = {"buckets": None, "crop": "center", "crop_scale": (1.0, 1.0), "flip": False}
    data = config.data.model_copy(update=plain)
    if data.held_out.path is not None:
        sources: list[SampleSource] = [_whole_source(data.held_out.path, data)]
    else:
        sources = [_make_held_out_source(source, data) for source in data.all_sources]
    lengths = [source.length for source in sources]
    known = [length for length in lengths if length is not None]
    available = sum(known) if len(known) == len(lengths) else count
    return _mix(sources, data, min(count, available), 1, None)


def collate(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a batch: "image", float32 (B, 3, H, W) in [-1, 1], and "index", a list of B ints.

    Samples of a cache have "moments" (B, 2 C, h, w) or "latents" (B, C, h, w) instead of "image".
    """
    batch: dict[str, Any] = {
        name: torch.stack([sample[name] for sample in samples])
        for name in ("image", "moments", "latents")
        if name in samples[0]
    }
    return {**batch, "index": [sample["index"] for sample in samples]}


def _accept(sample: Mapping[str, Any]) -> None:
    """Accept every sample."""


def _candidates(number: int, length: int | None, seed: int) -> Sequence[int]:
    """Return a sample and those that replace it, in order."""
    if length is None:
        return range(number, number + _ATTEMPTS)
    generator = data_generator(seed, DataPurpose.REPLACEMENT, number)
    return [number, *generator.integers(length, size=_ATTEMPTS).tolist()]


def _mix(
    sources: list[SampleSource],
    data: DataConfig,
    length: int,
    batch_size: int,
    report: DataReport | None,
) -> TrainingSamples:
    weights = [source.weight for source in data.all_sources if source.weight is not None]
    if len(weights) != len(sources):  # without weights, or with one held-out source
        weights = []
    mixture = Mixture([each.length for each in sources], weights or None, data.seed)
    buckets = _make_buckets(sources, mixture, data, batch_size) if data.buckets else None
    return TrainingSamples(sources, mixture, length, data, buckets, report)


def _make_buckets(
    sources: Sequence[SampleSource], mixture: Mixture, data: DataConfig, batch_size: int
) -> BucketOrder:
    assert data.buckets is not None
    width, height = picture_size(data)
    sizes = bucket_sizes(width * height, data.buckets)
    files = [source for source in sources if isinstance(source, ManifestSource)]
    if len(files) < len(sources):
        raise InvalidConfigError(
            "data.buckets: the built-in scenes have one size; leave buckets out, or the scenes"
        )
    buckets = [nearest_buckets(source.sizes, sizes) for source in files]
    return BucketOrder(mixture, buckets, sizes, batch_size, data.seed)


def _make_source(source: Source, data: DataConfig) -> SampleSource:
    if source.path is None:
        return _scenes(source, data.seed, source.length)
    manifest = _open(source.path, data)
    if data.held_out.path is not None:
        return ManifestSource(manifest, np.arange(len(manifest)), data)
    return ManifestSource(manifest, _split(manifest, data)[0], data)


def _make_held_out_source(source: Source, data: DataConfig) -> SampleSource:
    if source.path is None:
        return _scenes(source, data.held_out.seed, source.length)
    manifest = _open(source.path, data)
    return ManifestSource(manifest, _split(manifest, data)[1], data)


def _whole_source(path: Path, data: DataConfig) -> SampleSource:
    manifest = _open(path, data)
    return ManifestSource(manifest, np.arange(len(manifest)), data)


def _scenes(source: Source, seed: int, length: int | None) -> SceneSource:
    return SceneSource(validate(SceneConfig, source.config, "data.config"), seed, length)


def _open(path: Path, data: DataConfig) -> Manifest:
    manifest = open_manifest(path)
    return measure_pictures(manifest) if data.buckets else manifest


def _split(manifest: Manifest, data: DataConfig) -> tuple[Any, Any]:
    names = [record.name for record in manifest]
    return split_samples(names, data.held_out, manifest.origin)
