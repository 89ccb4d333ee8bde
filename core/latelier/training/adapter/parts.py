"""The components of an adapter's training."""

from dataclasses import dataclass

import torch

from latelier.checkpoints.adapter import LoadedAdapter, adapter_component
from latelier.checkpoints.component import new_component
from latelier.contracts.errors import CompatibilityError
from latelier.denoisers.adapter import ATTENTION_ID, create_adapter
from latelier.kernel.atelier import Atelier
from latelier.pipeline.pipeline import Pipeline
from latelier.training.components import collect_sources, describe_base, load_base_model
from latelier.training.conditioning import check_sources
from latelier.training.configs.adapter import AdapterTraining
from latelier.training.data.samples import TrainingSamples
from latelier.training.prediction.parts import PredictionParts
from latelier.training.randomness import seed_torch


@dataclass(frozen=True, kw_only=True)
class AdapterParts(PredictionParts):
    """The components of an adapter's training.

    Attributes:
        base: The model, which stays frozen.
        loaded: The adapter and its conditioner.
    """

    base: Pipeline
    loaded: LoadedAdapter


def resolve_parts(
    config: AdapterTraining, samples: TrainingSamples, atelier: Atelier
) -> AdapterParts:
    """Load the model, make an untrained adapter, and check that they and the data fit together.

    Raises:
        LatelierError: see `train_adapter`.
    """
    base = load_base_model("model", config.model, atelier)
    sources = collect_sources(base, config.model, config.inputs)
    loaded = _new_adapter(base, config, atelier)
    fields = samples.list_fields()
    check_sources({config.name: config.conditioner}, fields, "conditioner")
    check_sources(config.inputs, fields, "input")
    adapter, conditioner = loaded.adapter.module, loaded.conditioner
    assert conditioner is not None
    return AdapterParts(
        first_stage=base.first_stage_component,
        denoiser=base.denoiser_component,
        conditioners={**base.conditioner_components, config.name: conditioner},
        process=base.process,
        sources={**sources, config.name: config.conditioner},
        trained={"adapter": adapter, "conditioner": conditioner.module},
        adapters={config.name: adapter},
        fixed=base.components(),
        learners={config.name: conditioner},
        constant=base.conditioner_components,
        origin=config.model,
        base=base,
        loaded=loaded,
    )


def _new_adapter(base: Pipeline, config: AdapterTraining, atelier: Atelier) -> LoadedAdapter:
    """Return an untrained adapter for a model, after checking that it fits."""
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
        adapter_component(ATTENTION_ID, module),
        conditioner,
        config.description,
        trained_on=describe_base(config.model, base),
        card=config.card,
    )
    base.with_adapter(adapter)  # raises if it does not fit
    return adapter
