"""The samples of a training by position."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from latelier.contracts.errors import DataError
from latelier.data.manifest.manifest import Manifest
from latelier.data.pictures import UnusableError
from latelier.training.configs.data import DataConfig
from latelier.training.data.buckets import BucketOrder
from latelier.training.data.cache.cached_source import CachedSource
from latelier.training.data.features.reader import FeatureReader
from latelier.training.data.order import Mixture
from latelier.training.data.randomness import DataPurpose, data_generator
from latelier.training.data.report import DataReport
from latelier.training.data.run_files import store_manifests
from latelier.training.data.source import SampleSource
from latelier.training.data.views import Size

Preparation = Callable[[Sequence[Mapping[str, Any]]], Sequence[Mapping[str, Any]]]
"""Returns fields to add to each sample, or raises `UnusableError` if one must be replaced."""

_ATTEMPTS = 64
"""Samples that are tried in place of one that cannot be used."""


class TrainingSamples(Dataset[dict[str, Any]]):
    """The samples of a training by position.

    A sample that cannot be used is replaced by another one, which its number alone determines, and
    is reported. The other one is of its source, if that has one of the same size.
    """

    def __init__(
        self,
        sources: Sequence[SampleSource],
        mixture: Mixture,
        length: int,
        config: DataConfig,
        buckets: BucketOrder | None = None,
        report: DataReport | None = None,
        manifests: Sequence[Manifest] = (),
    ) -> None:
        """Create the samples.

        Args:
            sources: of the samples.
            mixture: says which source and sample a draw is.
            length: number of positions.
            config: of the data.
            buckets: order of the draws; None: that of positions.
            report: of samples that were replaced.
            manifests: of the sources, for `store_manifests`.
        """
        self.sources = sources
        self._mixture = mixture
        self._length = length
        self._seed = config.seed
        self._buckets = buckets
        self._report = report or DataReport(None)
        self._manifests = manifests
        self._prepare: Preparation = _add_nothing
        self._features: Mapping[str, FeatureReader] = {}

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
        place, number, size = self._locate(position)
        reasons = []
        for at, candidate in self._candidates(place, number, size):
            source = self.sources[at]
            try:
                sample = self._read(position, source, candidate, size)
                sample |= self._prepare([sample])[0]
            except UnusableError as error:
                name = source.sample_name(candidate)
                self._report.add(source.name, name, str(error))
                reasons.append(f"{name}: {error}")
            else:
                return sample
        name = self.sources[place].name
        raise DataError(
            f"{name}: none of {len(reasons)} samples can be used: {reasons[0]}; mend them or leave "
            "them out"
        )

    def __getitems__(self, positions: Sequence[int]) -> list[dict[str, Any]]:
        """Return the samples at positions, as torch's loader asks for those of a batch.

        Those of a cache are prepared together, which is faster; other samples take long to read
        again, or cannot be, where one of them cannot be used.

        Raises:
            DataError: see `__getitem__`.
        """
        if all(isinstance(source, CachedSource) for source in self.sources):
            return self._read_together(positions)
        return [self[position] for position in positions]

    def store_manifests(self, out: Path) -> None:
        """Write the manifests of a new run into its folder, and report what they left out.

        Raises:
            OSError: they cannot be written.
        """
        store_manifests(out, self._manifests)
        for manifest in self._manifests:
            for skipped in manifest.skipped:
                self._report.add(manifest.origin, skipped.name, skipped.reason)

    def with_preparation(self, prepare: Preparation) -> "TrainingSamples":
        """Return the samples with the fields that `prepare` adds, without those that it refuses."""
        prepared = copy(self)
        prepared._prepare = prepare
        return prepared

    def with_features(self, features: Mapping[str, FeatureReader]) -> "TrainingSamples":
        """Return the samples with "features", stored outputs of conditioners by their names."""
        changed = copy(self)
        changed._features = features
        return changed

    def with_sources(self, sources: Sequence[SampleSource]) -> "TrainingSamples":
        """Return the same samples read from other sources, such as a cache."""
        changed = copy(self)
        changed.sources = sources
        return changed

    def describe(self, position: int) -> dict[str, Any]:
        """Return the fields of the sample at a position that need no picture, such as "prompt"."""
        place, number, _ = self._locate(position)
        source = self.sources[place]
        fields = source.describe(number, self._generator(position, DataPurpose.CAPTION))
        return {**fields, "index": position}

    def name_of(self, position: int) -> str:
        """Return the position and the name of its sample, such as a file, for messages."""
        place, number, _ = self._locate(position)
        source = self.sources[place]
        return f"{position} ({source.sample_name(number)})"

    def list_fields(self) -> frozenset[str]:
        """Return the fields that some samples have."""
        return frozenset[str]().union(*(source.list_fields() for source in self.sources))

    def check_fields(self, fields: Mapping[str, int | None]) -> None:
        """Check that all samples have some fields: names, each with its number of labels or None.

        Raises:
            DataError: a sample lacks a field, or has a label that is out of range.
            InvalidConfigError: the built-in scenes have no such field.
        """
        for source in self.sources:
            source.check_fields(fields)

    def _locate(self, position: int) -> tuple[int, int, Size | None]:
        """Return the number of the source, that of the sample in it, and the sample's size."""
        draw, size = self._buckets.locate(position) if self._buckets else (position, None)
        place, number = self._mixture.locate(draw)
        return place, number, size

    def _read_together(self, positions: Sequence[int]) -> list[dict[str, Any]]:
        """Return the samples at positions, prepared in halves where one cannot be used."""
        if len(positions) == 1:
            return [self[positions[0]]]
        try:
            samples = [self._read_as_drawn(position) for position in positions]
            prepared = self._prepare(samples)
        except UnusableError:
            half = len(positions) // 2
            return [*self._read_together(positions[:half]), *self._read_together(positions[half:])]
        return [{**sample, **fields} for sample, fields in zip(samples, prepared, strict=True)]

    def _read_as_drawn(self, position: int) -> dict[str, Any]:
        """Return the sample at a position, not prepared.

        Raises:
            UnusableError: it must be replaced.
        """
        place, number, size = self._locate(position)
        return self._read(position, self.sources[place], number, size)

    def _candidates(self, place: int, number: int, size: Size | None) -> Iterator[tuple[int, int]]:
        """Yield a sample, as its source and number, and those that replace it, in order."""
        length = self.sources[place].length
        if length is None:
            yield from ((place, each) for each in range(number, number + _ATTEMPTS))
            return
        yield place, number
        generator = data_generator(self._seed, DataPurpose.REPLACEMENT, number)  # rarely needed
        if self._buckets is not None and size is not None and self._buckets.has_stored_sizes:
            yield from self._buckets.list_replacements(place, number, size, generator)
        else:
            others = generator.integers(length, size=_ATTEMPTS).tolist()
            yield from ((place, each) for each in others)

    def _read(
        self, position: int, source: SampleSource, number: int, size: Size | None
    ) -> dict[str, Any]:
        if isinstance(source, CachedSource):
            sample = source.read(number, partial(self._generator, position))
        else:
            view = source.show(number, size, self._generator(position, DataPurpose.VIEW))
            fields = source.describe(number, self._generator(position, DataPurpose.CAPTION))
            sample = {**view, **fields}
        sample["index"] = position
        if self._features:
            features = {name: each.read(sample) for name, each in self._features.items()}
            sample["features"] = {**sample.get("features", {}), **features}
        return sample

    def _generator(self, position: int, purpose: DataPurpose) -> np.random.Generator:
        return data_generator(self._seed, purpose, position)


def _add_nothing(samples: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Accept every sample as it is."""
    return [{} for _ in samples]
