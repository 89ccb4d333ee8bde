"""The components of a conditional decoder's training."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from latelier.checkpoints.component import Component, new_component
from latelier.contracts.errors import CompatibilityError, InvalidConfigError
from latelier.first_stages.conditional_decoder import ConditionalDecoder
from latelier.first_stages.configs import AutoencoderConfig
from latelier.kernel.atelier import Atelier
from latelier.pipeline.compatibility import check_composition
from latelier.pipeline.pipeline import Pipeline
from latelier.training.components import collect_sources, load_base_model
from latelier.training.conditioning import check_sources
from latelier.training.configs.components import InputSource
from latelier.training.configs.conditional_decoder import ConditionalDecoderTraining
from latelier.training.data.samples import TrainingSamples
from latelier.training.randomness import seed_torch

_PREFIX = "conditional_decoder."
"""Of the names of its weights in a first stage."""


@dataclass(frozen=True)
class DecoderParts:
    """What a conditional decoder is trained with.

    Attributes:
        model: The model with the conditional decoder to train in its first stage.
        fixed: The components that are not trained, by their places in the pipeline.
        sources: Source and drop-out of the conditioners' inputs, by their names.
    """

    model: Pipeline
    fixed: Mapping[str, Component]
    sources: Mapping[str, InputSource]

    @property
    def decoder(self) -> ConditionalDecoder:
        """The conditional decoder."""
        decoder = self.model.first_stage_component.module.conditional_decoder
        assert isinstance(decoder, ConditionalDecoder)
        return decoder


def resolve_parts(
    config: ConditionalDecoderTraining, samples: TrainingSamples, atelier: Atelier
) -> DecoderParts:
    """Load the model, give it a conditional decoder, and check that they and the data fit.

    Raises:
        LatelierError: see `train_conditional_decoder`.
    """
    base = load_base_model("model", config.model, atelier).with_merged_weights()
    model = replace(base, first_stage_component=_make_first_stage(config, base, atelier))
    parts = DecoderParts(model, base.components(), _find_sources(config, model, samples))
    model.first_stage_component.module.requires_grad_(False)
    parts.decoder.requires_grad_(True)
    return parts


def _find_sources(
    config: ConditionalDecoderTraining, model: Pipeline, samples: TrainingSamples
) -> dict[str, InputSource]:
    """Return the source of each conditioner's input, after checking that all fit together."""
    configs: Any = {name: each.module.config for name, each in model.conditioner_components.items()}
    check_composition(model.first_stage.config, model.denoiser.config, configs)
    inputs = config.inputs
    if inputs is None:
        inputs = {name: InputSource(source=name) for name in model.inputs if name in samples[0]}
    sources = collect_sources(model, config.model, inputs)
    check_sources(inputs, samples.list_fields(), "input")
    _check_known(model.first_stage.config.known_inputs, sources)
    return sources


def _make_first_stage(
    config: ConditionalDecoderTraining, base: Pipeline, atelier: Atelier
) -> Component:
    """Return the model's first stage with a new conditional decoder, or with its own."""
    first_stage = base.first_stage_component
    own = first_stage.config
    if not isinstance(own, AutoencoderConfig):
        raise CompatibilityError(
            f"model: the first stage '{first_stage.id}' of '{config.model}' cannot have a "
            "conditional decoder; expected autoencoder_kl or autoencoder_vq"
        )
    if config.conditional_decoder is None:
        if own.conditional_decoder is None:
            raise InvalidConfigError(
                f"conditional_decoder: '{config.model}' has none; name at least its inputs"
            )
        return first_stage
    changed = own.model_copy(update={"conditional_decoder": config.conditional_decoder})
    with seed_torch(config.seed, 0, torch.device("cpu")):
        component = new_component("first_stage", first_stage.id, changed, atelier)
    weights = first_stage.module.state_dict()
    others = {name: each for name, each in weights.items() if not name.startswith(_PREFIX)}
    component.module.load_state_dict(others, strict=False)
    return component


def _check_known(names: tuple[str, ...], sources: Mapping[str, InputSource]) -> None:
    """Check that the data have what the conditional decoder is given."""
    for name in names:
        if name not in sources:
            raise InvalidConfigError(
                f"conditional_decoder.inputs: training provides no input for '{name}'; expected "
                f"some of {', '.join(sources) or 'none'}, the conditioners that `inputs` feeds"
            )
