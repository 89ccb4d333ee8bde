"""Adapters: a new condition for a finished denoiser, which stays frozen (arXiv:2308.06721)."""

from pathlib import Path

import torch

from latelier.checkpoints.adapter import LoadedAdapter, adapter_component
from latelier.checkpoints.component import new_component
from latelier.contracts.errors import CompatibilityError, UnknownNameError
from latelier.contracts.messages import suggestion
from latelier.denoisers.adapter import create_adapter
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.pipeline.pipeline import Pipeline
from latelier.training.adapter.objective import AdapterObjective, collect_sources
from latelier.training.components import describe_base, load_base_model, pin_components
from latelier.training.conditioning import check_sources, fit_conditioners
from latelier.training.configs.adapter import AdapterTraining
from latelier.training.data.datasets import make_training_samples, use_cache, use_features
from latelier.training.data.features.values import FrozenConditions
from latelier.training.loop.loop import run_training
from latelier.training.loop.plan import TrainingPlan
from latelier.training.loop.run import Resume, TrainingResult
from latelier.training.randomness import seed_torch


def train_adapter(
    config: AdapterTraining, *, resume: Resume = False, atelier: Atelier | None = None
) -> TrainingResult:
    """Train an adapter and its conditioner, and write both to `config.out`/result.

    Raises:
        UnknownNameError: the model, the conditioner or an input is not found.
        CompatibilityError: the denoiser has no cross-attention, the conditioner gives no stream,
            or the name is taken.
        ModelFileError: the model cannot be read.
        InvalidConfigError: a part of the configuration is invalid, or `out` and `resume` disagree.
        InvalidInputError: the name is invalid, or a keyword of `generate`.
    """
    atelier = atelier or default_atelier()
    return run_training(plan_adapter(config, atelier), resume, atelier)


def list_frozen(config: AdapterTraining, atelier: Atelier) -> FrozenConditions:
    """Return the conditioners whose outputs a cache can hold.

    Raises:
        UnknownNameError: the model is not found.
        ModelFileError: the model cannot be read.
    """
    return _collect_frozen(load_base_model("model", config.model, atelier), config)


def plan_adapter(config: AdapterTraining, atelier: Atelier) -> TrainingPlan:
    """Build and check the parts of an adapter's training.

    Raises:
        LatelierError: see `train_adapter`.
    """
    base = load_base_model("model", config.model, atelier)
    adapter = _new_adapter(base, config, atelier)
    dataset = make_training_samples(config)
    fields = dataset.list_fields()
    check_sources({config.name: config.conditioner}, fields, "conditioner")
    check_sources(config.inputs, fields, "input")
    objective = AdapterObjective(base, adapter, config)
    conditioners, sources = {config.name: adapter.conditioner}, {config.name: config.conditioner}

    def initialize(out: Path, is_new: bool) -> None:
        dataset.store_manifests(out)
        pin_components(out, is_new, base.components())
        fit_conditioners(conditioners, sources, dataset, config.fit_samples, out, is_new)

    samples = use_cache(dataset, config.data, base.first_stage_component, config.model)
    samples = use_features(samples, config.data, _collect_frozen(base, config))
    samples.check_fields(objective.conditioning.list_fields())
    usable = samples.with_preparation(objective.prepare_sample)
    return TrainingPlan(config, objective, usable, initialize, dataset.name_of)


def _collect_frozen(base: Pipeline, config: AdapterTraining) -> FrozenConditions:
    sources = collect_sources(base, config)
    return FrozenConditions(
        base.conditioner_components,
        config.model,
        {name: each.source for name, each in sources.items()},
    )


def _new_adapter(base: Pipeline, config: AdapterTraining, atelier: Atelier) -> LoadedAdapter:
    """Return an untrained adapter for a model, after checking that it fits."""
    for name in config.inputs:
        if name not in base.inputs:
            raise UnknownNameError(
                f"inputs: the model '{config.model}' has no input '{name}'. "
                f"{suggestion(name, base.inputs)}"
            )
    choice = config.conditioner
    with seed_torch(config.seed, 0, torch.device("cpu")):
        conditioner = new_component("conditioner", choice.id, choice.config, atelier)
        outputs = conditioner.module.config.outputs()
        if outputs.stream is None:
            raise CompatibilityError(
                f"conditioner: '{conditioner.id}' gives no stream; an adapter needs one"
            )
        module = create_adapter(base.denoiser_component.module, outputs.stream, config.projection)
    adapter = LoadedAdapter(
        config.name,
        conditioner,
        adapter_component(module),
        config.description,
        describe_base(config.model, base),
        config.card,
    )
    base.with_adapter(adapter)  # raises if it does not fit
    return adapter
