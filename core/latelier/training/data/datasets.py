"""The data sets of a training, and the batches of their samples."""

from collections.abc import Sequence
from typing import Any

import torch

from latelier.checkpoints.component import Component
from latelier.contracts.errors import InvalidConfigError
from latelier.data.converters.recognize import MANIFEST_FILES, open_manifest
from latelier.training.configs.data import DataConfig
from latelier.training.configs.training import Training
from latelier.training.data.buckets import BucketOrder, Fill
from latelier.training.data.conditions.cache import make_cache
from latelier.training.data.features.features import make_feature_caches
from latelier.training.data.features.values import FrozenConditions
from latelier.training.data.manifest_source import ManifestSource
from latelier.training.data.order import Mixture
from latelier.training.data.report import REPORT_FILE, DataReport
from latelier.training.data.run_files import stored_manifests
from latelier.training.data.samples import TrainingSamples
from latelier.training.data.source import SampleSource
from latelier.training.data.sources import (
    assign_buckets,
    open_held_out_sources,
    open_training_sources,
)


def make_training_samples(config: Training) -> TrainingSamples:
    """Return the samples of all steps of a training, with pictures.

    Raises:
        InvalidConfigError: a field of the data is invalid.
        DataError: a data set is missing, empty or damaged.
    """
    data = config.data
    _check_outside(config)
    sources = open_training_sources(data, stored_manifests(config.out))
    if data.held_out.path is not None:
        # raises now, not at the first validation
        open_manifest(data.held_out.path, data.held_out.root)
    mixture, buckets = _mix(sources, data), assign_buckets(sources, data)
    order = None
    if buckets is not None:
        fill: Fill = "nearest" if data.cache is None else "repeat"
        order = BucketOrder(mixture, buckets, config.batch_size, data.seed, fill)
    return TrainingSamples(
        sources,
        mixture,
        config.steps * config.batch_size,
        data,
        order,
        DataReport(config.out / REPORT_FILE),
        [source.manifest for source in sources if isinstance(source, ManifestSource)],
    )


def use_cache(
    samples: TrainingSamples,
    config: Training,
    first_stage: Component,
    name: str,
    frozen: FrozenConditions,
) -> TrainingSamples:
    """Return the samples with latents instead of pictures, if the data have a cache.

    Args:
        samples: of the training, with pictures.
        config: of the training.
        first_stage: the one whose latents are trained on.
        name: where the first stage was read from, for messages.
        frozen: the conditioners whose outputs may be stored.

    Raises:
        InvalidConfigError: the number of views does not fit the configuration, or the outputs of a
            conditioner cannot be stored.
        DataError: the cache is another first stage's or conditioner's, or lacks samples.
    """
    data = config.data
    if data.cache is None:
        return samples
    cache = make_cache(data, samples.sources, first_stage, name, frozen, config.precision)
    return samples.with_sources(cache.open())


def use_features(
    samples: TrainingSamples, data: DataConfig, frozen: FrozenConditions
) -> TrainingSamples:
    """Return the samples with the stored outputs of the conditioners that the data name.

    Raises:
        InvalidConfigError: the outputs of a conditioner cannot be stored.
        DataError: outputs are missing, or they are another conditioner's.
    """
    caches = make_feature_caches(data, samples.sources, frozen)
    return samples.with_features({each.name: each.open() for each in caches})


def make_held_out_samples(config: Training, count: int) -> TrainingSamples:
    """Return at most `count` samples that training never uses.

    All have one size, also with buckets, and none is cropped or flipped at random.

    Raises:
        InvalidConfigError: a field of the data is invalid.
        DataError: a data set is missing, empty or damaged.
    """
    plain = {"buckets": None, "crop": "center", "crop_scale": (1.0, 1.0), "flip": False}
    data = config.data.model_copy(update=plain)
    sources = open_held_out_sources(data, stored_manifests(config.out), count)
    known = [source.length for source in sources if source.length is not None]
    available = sum(known) if len(known) == len(sources) else count
    return TrainingSamples(sources, _mix(sources, data), min(count, available), data)


def collate(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a batch: "image", float32 (B, 3, H, W) in [-1, 1], and "index", a list of B ints."""
    return {
        "image": torch.stack([sample["image"] for sample in samples]),
        "index": [sample["index"] for sample in samples],
    }


def _check_outside(config: Training) -> None:
    """Check that the run's folder is in no folder whose pictures are the data set.

    The next run on it would train on the sample sheets of this one.

    Raises:
        InvalidConfigError: it is in one.
    """
    data = config.data
    for path in (*(source.path for source in data.all_sources), data.held_out.path):
        if path is None or any((path / name).is_file() for name in MANIFEST_FILES):
            continue
        if config.out.resolve().is_relative_to(path.resolve()):
            raise InvalidConfigError(
                f"out: {config.out} is in the data set {path}, and its sample sheets would become "
                "pictures of it; name a folder outside of it"
            )


def _mix(sources: Sequence[SampleSource], data: DataConfig) -> Mixture:
    weights = [source.weight for source in data.all_sources if source.weight is not None]
    if len(weights) != len(sources):  # without weights, or one held-out source
        weights = []
    return Mixture([source.length for source in sources], weights or None, data.seed)
