"""LoRAs: low-rank changes of a finished model, which stays frozen (arXiv:2106.09685)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latelier.checkpoints.lora.lora import (
    LoadedLora,
    Lora,
    find_layers,
    lora_component,
    select_layers,
)
from latelier.contracts.errors import UnknownNameError
from latelier.contracts.messages import suggestion
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.pipeline.pipeline import Pipeline
from latelier.training.components import describe_base, load_base_model, pin_components
from latelier.training.conditioning import check_sources
from latelier.training.configs.components import InputSource
from latelier.training.configs.lora import LoraTraining
from latelier.training.data.datasets import make_training_samples, use_cache, use_features
from latelier.training.data.features.values import FrozenConditions
from latelier.training.loop.loop import run_training
from latelier.training.loop.plan import TrainingPlan
from latelier.training.loop.run import Resume, TrainingResult
from latelier.training.lora.objective import LoraObjective
from latelier.training.lora.targets import create_lora


def train_lora(
    config: LoraTraining, *, resume: Resume = False, atelier: Atelier | None = None
) -> TrainingResult:
    """Train a LoRA and write it to `config.out`/result.

    Raises:
        UnknownNameError: the model or an input is not found.
        ModelFileError: the model cannot be read.
        InvalidConfigError: a target names no layer or has too high a rank, another part of the
            configuration is invalid, or `out` and `resume` disagree.
    """
    atelier = atelier or default_atelier()
    return run_training(plan_lora(config, atelier), resume, atelier)


def list_frozen(config: LoraTraining, atelier: Atelier) -> FrozenConditions:
    """Return the conditioners whose outputs a cache can hold: those that the LoRA leaves alone.

    Raises:
        LatelierError: see `train_lora`.
    """
    base, lora = _load_base(config, atelier)
    inputs = _resolve_inputs(base, config, make_training_samples(config)[0])
    return _collect_frozen(base, lora, inputs, config)


def plan_lora(config: LoraTraining, atelier: Atelier) -> TrainingPlan:
    """Build and check the parts of a LoRA's training.

    Raises:
        LatelierError: see `train_lora`.
    """
    base, lora = _load_base(config, atelier)
    loaded = LoadedLora(
        config.name,
        lora_component(lora),
        config.description,
        describe_base(config.model, base),
        config.card,
    )
    dataset = make_training_samples(config)
    inputs = _resolve_inputs(base, config, dataset[0])
    check_sources(inputs, dataset.list_fields(), "input")
    objective = LoraObjective(base, loaded, inputs, config)
    samples = use_cache(dataset, config.data, base.first_stage_component, config.model)
    samples = use_features(samples, config.data, _collect_frozen(base, lora, inputs, config))
    samples.check_fields(objective.conditioning.list_fields())
    usable = samples.with_preparation(objective.prepare_sample)

    def initialize(out: Path, is_new: bool) -> None:
        dataset.store_manifests(out)
        pin_components(out, is_new, base.components())

    return TrainingPlan(config, objective, usable, initialize, dataset.name_of)


def _load_base(config: LoraTraining, atelier: Atelier) -> tuple[Pipeline, Lora]:
    """Return the model and an untrained LoRA for it."""
    base = load_base_model("model", config.model, atelier).with_merged_loras()
    return base, create_lora(find_layers(base.base_components()), config)


def _collect_frozen(
    base: Pipeline, lora: Lora, inputs: Mapping[str, InputSource], config: LoraTraining
) -> FrozenConditions:
    unchanged = {
        name: component
        for name, component in base.conditioner_components.items()
        if not select_layers(lora.changes, f"conditioners.{name}")
    }
    sources = {name: each.source for public, each in inputs.items() for name in base.inputs[public]}
    return FrozenConditions(unchanged, config.model, sources)


def _resolve_inputs(
    base: Pipeline, config: LoraTraining, sample: Mapping[str, Any]
) -> Mapping[str, InputSource]:
    """Return the source of each public input that training provides."""
    if config.inputs is None:
        return {name: InputSource(source=name) for name in base.inputs if name in sample}
    for name in config.inputs:
        if name not in base.inputs:
            raise UnknownNameError(
                f"inputs: the model '{config.model}' has no input '{name}'. "
                f"{suggestion(name, base.inputs)}"
            )
    return config.inputs
