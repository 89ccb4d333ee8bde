"""The cache of a configuration file, before the training."""

from pathlib import Path
from typing import Any

from latelier.checkpoints.io.yaml_files import read_yaml
from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.frozen import validate
from latelier.kernel.atelier import Atelier
from latelier.pipeline.storage.sources import DEFAULT_MODEL
from latelier.training.components import load_first_stage
from latelier.training.configs.data import DataConfig
from latelier.training.data.cache.cache import Cache
from latelier.training.data.sources import assign_buckets, open_training_sources

_FIRST_STAGES = ("first_stage", "start_from", "model")
"""Fields that name the first stage of a training on latents, the first that is given."""


def open_cache(path: Path, atelier: Atelier) -> Cache:
    """Return the cache of a training on latents.

    Only the data and the first stage are read: the other fields may still change.

    Raises:
        InvalidConfigError: the file has no data.cache, a field of the data is invalid, or it is the
            training of a first stage.
        UnknownNameError: the first stage is not found.
        ModelFileError: a file of the first stage is missing or damaged.
        DataError: a data set is missing, empty or damaged.
    """
    values = read_yaml(path)
    data = validate(DataConfig, values.get("data", {}), f"{path}: data")
    if data.cache is None:
        raise InvalidConfigError(
            f"{path}: expected the folder of the cache as 'cache' in 'data', such as "
            "'cache: runs/latents'"
        )
    field, name = _first_stage_of(values, path)
    component = load_first_stage(field, name, atelier)
    sources = open_training_sources(data, ())
    return Cache(data, sources, assign_buckets(sources, data), component, name)


def _first_stage_of(values: dict[str, Any], path: Path) -> tuple[str, str]:
    """Return the field that names the first stage, and its value."""
    if isinstance(values.get("first_stage"), dict) or "perceptual" in values:
        raise InvalidConfigError(
            f"{path}: is the training of a first stage, which needs pictures; a cache is for "
            "trainings on its latents"
        )
    for field in _FIRST_STAGES:
        if isinstance(values.get(field), str):
            return field, values[field]
    return "first_stage", DEFAULT_MODEL
