"""The components of a LoRA's training."""

from dataclasses import dataclass, replace

from latelier.checkpoints.adapter import LoadedAdapter, adapter_component
from latelier.checkpoints.component import Component
from latelier.checkpoints.lora.layers import find_layers, select_layers
from latelier.checkpoints.lora.lora import LORA_ID, Lora
from latelier.kernel.atelier import Atelier
from latelier.nn.low_rank import LowRankLayer
from latelier.nn.views import replace_layers
from latelier.pipeline.pipeline import Pipeline
from latelier.training.components import (
    collect_sources,
    describe_base,
    load_base_model,
    resolve_inputs,
)
from latelier.training.conditioning import check_sources
from latelier.training.configs.lora import LoraTraining
from latelier.training.data.samples import TrainingSamples
from latelier.training.lora.targets import create_lora
from latelier.training.prediction.parts import PredictionParts


@dataclass(frozen=True, kw_only=True)
class LoraParts(PredictionParts):
    """The components of a LoRA's training.

    Attributes:
        base: The model, which stays frozen.
        view: The same model with the LoRA in its layers.
        loaded: The LoRA.
    """

    base: Pipeline
    view: Pipeline
    loaded: LoadedAdapter

    @property
    def lora(self) -> Lora:
        """The changes."""
        lora = self.loaded.adapter.module
        assert isinstance(lora, Lora)
        return lora


def resolve_parts(config: LoraTraining, samples: TrainingSamples, atelier: Atelier) -> LoraParts:
    """Load the model, make an untrained LoRA, and check that they and the data fit together.

    Raises:
        LatelierError: see `train_lora`.
    """
    base = load_base_model("model", config.model, atelier).with_merged_weights()
    lora = create_lora(find_layers(base.base_modules()), config)
    inputs = resolve_inputs(base, config.inputs, samples[0])
    sources = collect_sources(base, config.model, inputs)
    check_sources(inputs, samples.list_fields(), "input")
    view = add_layers(base, lora)
    return LoraParts(
        first_stage=view.first_stage_component,
        denoiser=view.denoiser_component,
        conditioners=view.conditioner_components,
        process=view.process,
        sources=sources,
        trained={"lora": lora},
        fixed=base.components(),
        constant={
            name: component
            for name, component in base.conditioner_components.items()
            if not select_layers(lora.layers, f"conditioners.{name}")
        },
        origin=config.model,
        base=base,
        view=view,
        loaded=LoadedAdapter(
            config.name,
            adapter_component(LORA_ID, lora),
            description=config.description,
            trained_on=describe_base(config.model, base),
            card=config.card,
        ),
    )


def add_layers(base: Pipeline, lora: Lora) -> Pipeline:
    """Return a view of a model whose layers have the changes of a LoRA, for its training."""
    components = base.base_components()
    layers = find_layers(base.base_modules())

    def view_of(place: str) -> Component:
        changed = {
            path: LowRankLayer(layers[f"{place}.{path}"], change)
            for path, change in select_layers(lora.layers, place).items()
        }
        component = components[place]
        if not changed:
            return component
        return replace(component, module=replace_layers(component.module, changed), origin=None)

    return replace(
        base,
        denoiser_component=view_of("denoiser"),
        conditioner_components={
            name: view_of(f"conditioners.{name}") for name in base.conditioner_components
        },
    )
