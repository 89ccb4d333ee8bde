"""Stage two: a denoiser and its conditioners, on latents (arXiv:2112.10752, section 3.2)."""

from collections.abc import Mapping
from pathlib import Path

import torch

from latelier.checkpoints.component import (
    Component,
    assets_of,
    new_component,
)
from latelier.contracts.errors import InvalidConfigError
from latelier.io.atomic import write_bytes
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.pipeline.compatibility import check_composition
from latelier.training.components import load_base_model, load_first_stage
from latelier.training.conditioning import check_sources, fit_conditioners
from latelier.training.configs.denoiser import DenoiserTraining
from latelier.training.data.datasets import make_training_samples
from latelier.training.denoiser.objective import DenoiserObjective
from latelier.training.loop.loop import run_training
from latelier.training.loop.plan import TrainingPlan
from latelier.training.loop.run import Resume, TrainingResult
from latelier.training.randomness import seed_torch


def train_denoiser(
    config: DenoiserTraining, *, resume: Resume = False, atelier: Atelier | None = None
) -> TrainingResult:
    """Train a denoiser and write a complete pipeline to `config.out`/result.

    Raises:
        UnknownNameError: a component is not registered, or the first stage or model not found.
        CompatibilityError: the components do not fit together.
        ModelFileError: the first stage cannot be read.
        InvalidConfigError: a part of the configuration is invalid, `out` and `resume` disagree, or
            the model to start from has another configuration.
    """
    atelier = atelier or default_atelier()
    return run_training(plan_denoiser(config, atelier), resume, atelier)


def plan_denoiser(config: DenoiserTraining, atelier: Atelier) -> TrainingPlan:
    """Build and check the parts of a denoiser's training.

    Raises:
        LatelierError: see `train_denoiser`.
    """
    first_stage = load_first_stage("first_stage", config.first_stage, atelier)
    with seed_torch(config.seed, 0, torch.device("cpu")):
        denoiser = new_component("denoiser", config.denoiser.id, config.denoiser.config, atelier)
        conditioners = {
            name: new_component("conditioner", choice.id, choice.config, atelier)
            for name, choice in config.conditioners.items()
        }
    check_composition(
        first_stage.module.config,
        denoiser.module.config,
        {name: component.module.config for name, component in conditioners.items()},
    )
    dataset = make_training_samples(config)
    check_sources(config.conditioners, dataset[0], "conditioner")
    objective = DenoiserObjective(first_stage, denoiser, conditioners, config, atelier)

    def initialize(out: Path, is_new: bool) -> None:
        if config.start_from is not None and is_new:
            components = {"denoiser": denoiser, **conditioners}
            _load_initial_weights(config.start_from, components, out, atelier)
        fit_conditioners(conditioners, config.conditioners, dataset, config.fit_samples, out)

    return TrainingPlan(config, objective, dataset, initialize)


def _load_initial_weights(
    name: str, components: Mapping[str, Component], out: Path, atelier: Atelier
) -> None:
    """Load the weights of the model `name` into components, and store its assets in `out`.

    Raises:
        InvalidConfigError: the model lacks a component, or has it with another configuration.
    """
    model = load_base_model("start_from", name, atelier)
    available = {"denoiser": model.denoiser_component, **model.conditioner_components}
    for place, component in components.items():
        if place not in available or available[place].config != component.config:
            raise InvalidConfigError(
                f"start_from: '{name}' has no '{place}' of this configuration; give '{place}' the "
                "configuration that `latelier models show` prints, or leave start_from out"
            )
    for place, component in components.items():
        component.module.load_state_dict(available[place].module.state_dict())
        for file, data in assets_of(available[place].module).items():
            write_bytes(out / "assets" / place / file, data)
