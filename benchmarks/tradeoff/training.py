"""Both stages of a model of the study, trained by the product's own trainings."""

from pathlib import Path

import torch

import latelier
from benchmarks.tradeoff.configs import (
    configure_denoiser,
    configure_first_stage,
    first_stage_folder,
)
from benchmarks.tradeoff.models import Model
from benchmarks.tradeoff.study import SCENES, TRAINING_SEED, Study
from latelier.checkpoints.component import new_component, save_component
from latelier.data.emoji_scenes import SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.scenes import read_scenes, to_images
from latelier.io.atomic import atomic_folder
from latelier.training.components import load_first_stage
from latelier.training.configs.denoiser import DenoiserTraining
from latelier.training.data.conditions.cache import make_cache
from latelier.training.data.features.values import NO_CONDITIONS
from latelier.training.data.sources import open_training_sources
from latelier.training.denoiser.train import train_denoiser
from latelier.training.first_stage.train import train_first_stage
from latelier.training.loop.run import TrainingResult

_SCALED_SCENES = 500
"""Scenes from which the scale of pixels is estimated."""


class InterruptedTrainingError(Exception):
    """A training was asked to stop, and has written a checkpoint."""


def make_first_stage(study: Study, model: Model) -> None:
    """Train a first stage, or go on with it; that of diffusion on pixels needs no training."""
    if model.kind == "none":
        write_identity(Path(first_stage_folder(study, model)))
    else:
        _finish(train_first_stage(configure_first_stage(study, model), resume="auto"))


def write_identity(folder: Path) -> None:
    """Write the first stage of diffusion on pixels, which scales them to variance 1."""
    scenes = EmojiScenes(SceneConfig(**SCENES), TRAINING_SEED, _SCALED_SCENES)
    scale = 1 / float(to_images(read_scenes(scenes)).std())
    config = {"channels": 3, "scale_factor": scale}
    component = new_component("first_stage", "identity", config, latelier.default_atelier())
    folder.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder(folder) as partial:
        save_component(partial, component)


def store_latents(config: DenoiserTraining) -> None:
    """Encode the scenes of a denoiser's training, those that are not stored yet."""
    field, name = config.locate_first_stage()
    first_stage = load_first_stage(field, name, latelier.default_atelier())
    sources = open_training_sources(config.data, ())
    cache = make_cache(config.data, sources, first_stage, name, NO_CONDITIONS, config.precision)
    cache.write(lambda jobs: cache.encode(jobs, torch.device("cpu"), 0), lambda results, _: results)


def make_denoiser(study: Study, model: Model) -> None:
    """Train a denoiser on stored latents, or go on with it."""
    config = configure_denoiser(study, model)
    store_latents(config)
    _finish(train_denoiser(config, resume="auto"))


def _finish(result: TrainingResult) -> None:
    if not result.finished:
        raise InterruptedTrainingError
