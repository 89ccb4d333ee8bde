"""The sources of a configuration."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.frozen import validate
from latelier.data.converters.recognize import open_manifest
from latelier.data.emoji_scenes.config import SceneConfig
from latelier.data.manifest.manifest import Manifest
from latelier.data.measure import measure_pictures
from latelier.training.configs.data import DataConfig, Source
from latelier.training.data.buckets import Buckets, bucket_sizes, nearest_buckets
from latelier.training.data.manifest_source import ManifestSource
from latelier.training.data.records import picture_size
from latelier.training.data.run_files import read_stored_manifest
from latelier.training.data.scene_source import SceneSource
from latelier.training.data.source import SampleSource
from latelier.training.data.split import split_samples
from latelier.training.data.stream.stream_source import open_held_out_stream, open_stream


def open_training_sources(data: DataConfig, stored: Sequence[Path]) -> list[SampleSource]:
    """Return the sources of the samples to train on.

    Args:
        data: the configuration.
        stored: manifests of a run that is resumed, which are read instead of the data sets.

    Raises:
        InvalidConfigError: a field of the scenes' configuration is invalid.
        DataError: a data set is missing, empty or damaged.
    """
    sources: list[SampleSource] = []
    files = iter(stored)
    for source in data.all_sources:
        if source.url is not None:
            sources.append(open_stream(source.url, data))
            continue
        if source.path is None:
            sources.append(_make_scenes(source, data, data.seed))
            continue
        manifest = _open(source, data, next(files, None))
        members = np.arange(len(manifest))
        if data.held_out.path is None:
            members, _ = split_samples(manifest, data.held_out)
        sources.append(ManifestSource(manifest, members, data))
    return sources


def open_held_out_sources(
    data: DataConfig, stored: Sequence[Path], count: int
) -> list[SampleSource]:
    """Return the sources of the samples that training never uses; see `open_training_sources`.

    Args:
        data: the configuration.
        stored: manifests of a run that is resumed.
        count: most samples that are needed; no more are streamed.
    """
    if data.held_out.path is not None:
        manifest = open_manifest(data.held_out.path, data.held_out.root)
        return [ManifestSource(manifest, np.arange(len(manifest)), data)]
    sources: list[SampleSource] = []
    files = iter(stored)
    for source in data.all_sources:
        if source.url is not None:
            sources.append(open_held_out_stream(source.url, data, count))
            continue
        if source.path is None:
            sources.append(_make_scenes(source, data, data.held_out.seed))
            continue
        manifest = _open(source, data, next(files, None))
        sources.append(ManifestSource(manifest, split_samples(manifest, data.held_out)[1], data))
    return sources


def assign_buckets(sources: Sequence[SampleSource], data: DataConfig) -> Buckets | None:
    """Return the bucket of each sample; None without buckets.

    Raises:
        InvalidConfigError: a source has no pictures of several sizes.
    """
    if data.buckets is None:
        return None
    width, height = picture_size(data)
    sizes = bucket_sizes(width * height, data.buckets)
    files = [source for source in sources if isinstance(source, ManifestSource)]
    if len(files) < len(sources):
        raise InvalidConfigError(
            "data.buckets: the built-in scenes have one size; leave buckets out, or the scenes"
        )
    return Buckets(sizes, [nearest_buckets(source.sizes, sizes) for source in files])


def _make_scenes(source: Source, data: DataConfig, seed: int) -> SceneSource:
    config = validate(SceneConfig, source.config, "data.config")
    size = (config.size, config.size)
    if (data.sources or data.size) and size != picture_size(data):
        raise InvalidConfigError(
            f"data.size: expected that of the scenes, {config.size}, got {picture_size(data)}; set "
            "data.size or the scenes' config.size"
        )
    return SceneSource(config, seed, source.length)


def _open(source: Source, data: DataConfig, stored: Path | None) -> Manifest:
    assert source.path is not None
    if stored is None:
        manifest = open_manifest(source.path, source.root)
    else:
        manifest = read_stored_manifest(stored)
    return measure_pictures(manifest) if data.buckets else manifest
