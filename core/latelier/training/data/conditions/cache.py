"""The cache of a training: latents, and outputs of conditioners for each view."""

from collections.abc import Sequence

import torch

from latelier.checkpoints.component import Component
from latelier.training.configs.data import DataConfig
from latelier.training.configs.optimization import Precision
from latelier.training.data.cache.cache import Cache
from latelier.training.data.cache.identity import identify
from latelier.training.data.conditions.store import ConditionStore, PictureEncoder
from latelier.training.data.features.values import FrozenConditions, depends_on_view
from latelier.training.data.source import SampleSource
from latelier.training.data.sources import assign_buckets


def make_cache(
    data: DataConfig,
    sources: Sequence[SampleSource],
    first_stage: Component,
    origin: str,
    frozen: FrozenConditions,
    precision: Precision,
) -> Cache:
    """Return the cache that a configuration names; nothing is read or written.

    Args:
        data: the configuration; it has a cache.
        sources: of the samples to train on.
        first_stage: encodes pictures.
        origin: where the first stage was read from, for messages.
        frozen: the conditioners whose outputs may be stored.
        precision: of the training. Its conditions are computed in bfloat16 if it has that, as they
            would be during the training; latents always in float32.

    Raises:
        InvalidConfigError: the outputs of a conditioner cannot be stored.
    """
    assert data.cache is not None
    encoder = PictureEncoder(
        first_stage.module,
        identify(first_stage, origin, data.cache.dtype),
        torch.bfloat16 if precision == "bf16-mixed" else torch.float32,
    )
    conditions = {
        name: ConditionStore(name, frozen, data, encoder)
        for name in data.cache.conditioners
        if depends_on_view(name, frozen)
    }
    read = {field for name, field in frozen.sources.items() if name not in conditions}
    buckets = assign_buckets(sources, data)
    return Cache(
        data, sources, buckets, first_stage, origin, conditions, read if frozen.sources else None
    )
