"""The caches of a training on latents, before it: of its pictures, and of frozen conditioners."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latelier.contracts.errors import InvalidConfigError, UnknownNameError
from latelier.contracts.messages import suggestion
from latelier.kernel.atelier import Atelier
from latelier.training.adapter.parts import resolve_parts as resolve_adapter
from latelier.training.components import load_first_stage
from latelier.training.configs.adapter import AdapterTraining
from latelier.training.configs.denoiser import DenoiserTraining, PredictionTraining
from latelier.training.configs.distillation import DistillationTraining
from latelier.training.configs.lora import LoraTraining
from latelier.training.configs.training import read_training
from latelier.training.data.cache.cache import Cache
from latelier.training.data.conditions.cache import make_cache
from latelier.training.data.datasets import make_training_samples
from latelier.training.data.features.features import FeatureCache, make_feature_caches
from latelier.training.data.features.values import NO_CONDITIONS
from latelier.training.data.samples import TrainingSamples
from latelier.training.data.sources import open_training_sources
from latelier.training.denoiser.parts import resolve_parts as resolve_denoiser
from latelier.training.lora.parts import resolve_parts as resolve_lora
from latelier.training.prediction.parts import PredictionParts


@dataclass(frozen=True)
class LatentTraining:
    """A kind of training on latents.

    Attributes:
        config: The fields of its configuration.
        resolve_parts: Builds or loads what it works on.
    """

    config: type[PredictionTraining]
    resolve_parts: Callable[[Any, TrainingSamples, Atelier], PredictionParts]


LATENT_TRAININGS: Mapping[str, LatentTraining] = {
    "denoiser": LatentTraining(DenoiserTraining, resolve_denoiser),
    "adapter": LatentTraining(AdapterTraining, resolve_adapter),
    "lora": LatentTraining(LoraTraining, resolve_lora),
    "distillation": LatentTraining(DistillationTraining, resolve_lora),
}
"""The trainings on latents by their names, those of the commands of `latelier train`."""


def open_caches(kind: str, path: Path, atelier: Atelier) -> tuple[Cache, list[FeatureCache]]:
    """Return the cache that a configuration file names in data.cache, and features of values.

    Args:
        kind: one of `LATENT_TRAININGS`.
        path: the file.
        atelier: its registries have the components.

    Raises:
        UnknownNameError: there is no such kind.
        InvalidConfigError: the file has no data.cache, or a field is invalid or of another kind of
            training.
        LatelierError: the model or the data cannot be read, or the outputs of a conditioner cannot
            be stored.
    """
    training = LATENT_TRAININGS.get(kind)
    if training is None:
        raise UnknownNameError(
            f"there is no training on latents '{kind}'. {suggestion(kind, LATENT_TRAININGS)}"
        )
    config = read_training(path, training.config)
    data = config.data
    if data.cache is None:
        raise InvalidConfigError(
            f"{path}: expected the folder of the cache as 'cache' in 'data', such as "
            "'cache: runs/latents'"
        )
    field, name = config.locate_first_stage()
    if data.cache.conditioners:
        parts = training.resolve_parts(config, make_training_samples(config), atelier)
        first_stage, frozen = parts.first_stage, parts.frozen
    else:
        first_stage, frozen = load_first_stage(field, name, atelier), NO_CONDITIONS
    sources = open_training_sources(data, ())
    cache = make_cache(data, sources, first_stage, name, frozen, config.precision)
    return cache, make_feature_caches(data, sources, frozen)
