"""The features of a configuration file's frozen conditioners, before the training."""

from collections.abc import Callable
from pathlib import Path

from latelier.checkpoints.io.yaml_files import read_yaml
from latelier.contracts.frozen import validate
from latelier.kernel.atelier import Atelier
from latelier.training.adapter import train as adapter
from latelier.training.configs.adapter import AdapterTraining
from latelier.training.configs.data import DataConfig
from latelier.training.configs.denoiser import DenoiserTraining
from latelier.training.configs.lora import LoraTraining
from latelier.training.configs.training import C, read_training
from latelier.training.data.features.features import FeatureCache, make_feature_caches
from latelier.training.data.features.values import FrozenConditions
from latelier.training.data.sources import open_training_sources
from latelier.training.denoiser import train as denoiser
from latelier.training.lora import train as lora


def open_feature_caches(path: Path, atelier: Atelier) -> list[FeatureCache]:
    """Return the features that the file of a training on latents names in data.cache.

    The whole file is read if it names any: its other fields decide which conditioners are frozen.

    Raises:
        LatelierError: a field is invalid, the model or the data cannot be read, or the outputs of a
            conditioner cannot be stored.
    """
    values = read_yaml(path)
    data = validate(DataConfig, values.get("data", {}), f"{path}: data")
    if data.cache is None or not data.cache.conditioners:
        return []
    if "conditioner" in values:
        return _make_caches(path, AdapterTraining, adapter.list_frozen, atelier)
    if "model" in values:
        return _make_caches(path, LoraTraining, lora.list_frozen, atelier)
    return _make_caches(path, DenoiserTraining, denoiser.list_frozen, atelier)


def _make_caches(
    path: Path,
    model: type[C],
    list_frozen: Callable[[C, Atelier], FrozenConditions],
    atelier: Atelier,
) -> list[FeatureCache]:
    config = read_training(path, model)
    sources = open_training_sources(config.data, ())
    return make_feature_caches(config.data, sources, list_frozen(config, atelier))
