"""The components of a conditional decoder's training."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from latelier.checkpoints.component import Component, new_component, tensors_of
from latelier.contracts.errors import CompatibilityError, InvalidConfigError
from latelier.first_stages.conditional_decoder import PREFIX, ConditionalDecoder
from latelier.first_stages.configs import AutoencoderConfig
from latelier.kernel.atelier import Atelier
from latelier.pipeline.loading import load
from latelier.pipeline.pipeline import Pipeline
from latelier.training.components import collect_sources, load_base_model, resolve_inputs
from latelier.training.conditioning import check_sources
from latelier.training.configs.components import InputSource
from latelier.training.configs.conditional_decoder import ConditionalDecoderTraining
from latelier.training.data.samples import TrainingSamples
from latelier.training.randomness import seed_torch


@dataclass(frozen=True)
class DecoderParts:
    """What a conditional decoder is trained with.

    Attributes:
        base: The model, which stays frozen.
        decoder: The conditional decoder, apart from the model's first stage.
        sources: Source and drop-out of the conditioners' inputs, by their names.
    """

    base: Pipeline
    decoder: ConditionalDecoder
    sources: Mapping[str, InputSource]


def resolve_parts(
    config: ConditionalDecoderTraining, samples: TrainingSamples, atelier: Atelier
) -> DecoderParts:
    """Load the model, make or copy a conditional decoder, and check that they and the data fit.

    Raises:
        LatelierError: see `train_conditional_decoder`.
    """
    base = load_base_model("model", config.model, atelier).with_merged_weights()
    decoder = _make_decoder(config, base)
    _check_inputs(decoder.config.inputs, base)
    inputs = resolve_inputs(base, config.inputs, samples[0])
    sources = collect_sources(base, config.model, inputs)
    check_sources(inputs, samples.list_fields(), "input")
    for name in decoder.config.inputs:
        if name not in sources:
            raise InvalidConfigError(
                f"conditional_decoder.inputs: training provides no input for '{name}'; expected "
                f"one of {_list_knowing(base)} that `inputs` feeds"
            )
    return DecoderParts(base, decoder, sources)


def assemble(
    config: ConditionalDecoderTraining, decoder: ConditionalDecoder, atelier: Atelier
) -> Pipeline:
    """Return the model with a conditional decoder, all weights in the precision of its own."""
    model = load(config.model, device="cpu", dtype="float32", atelier=atelier)
    model = model.with_merged_weights()
    return replace(model, first_stage_component=_add(model.first_stage_component, decoder, atelier))


def _add(first_stage: Component, decoder: ConditionalDecoder, atelier: Atelier) -> Component:
    """Return a first stage with a conditional decoder, in the precision that it is stored in."""
    own: Any = first_stage.config
    config = own.model_copy(update={"conditional_decoder": decoder.config})
    component = new_component("first_stage", first_stage.id, config, atelier)
    weights = first_stage.stored.state_dict()
    others = {name: each for name, each in weights.items() if not name.startswith(PREFIX)}
    trained = {f"{PREFIX}{name}": each for name, each in decoder.state_dict().items()}
    component.module.load_state_dict({**others, **trained})
    component.module.eval().requires_grad_(False)
    return component.converted(tensors_of(first_stage.stored)[0].dtype)


def _make_decoder(config: ConditionalDecoderTraining, base: Pipeline) -> ConditionalDecoder:
    """Return a new conditional decoder, or a copy of the model's own."""
    component = base.first_stage_component
    own = component.config
    if not isinstance(own, AutoencoderConfig):
        raise CompatibilityError(
            f"model: the first stage '{component.id}' of '{config.model}' cannot have a "
            "conditional decoder; expected autoencoder_kl or autoencoder_vq"
        )
    chosen = config.conditional_decoder or own.conditional_decoder
    if chosen is None:
        raise InvalidConfigError(
            f"conditional_decoder: '{config.model}' has none; name at least its inputs"
        )
    with seed_torch(config.seed, 0, torch.device("cpu")):
        decoder = ConditionalDecoder(chosen)
    if config.conditional_decoder is None:
        decoder.load_state_dict(component.module.conditional_decoder.state_dict())
    return decoder


def _check_inputs(names: tuple[str, ...], base: Pipeline) -> None:
    """Check that the model has conditioners of these names that know pixels."""
    conditioners = base.conditioners
    for name in names:
        if name not in conditioners or not conditioners[name].config.knows_pixels:
            raise CompatibilityError(
                f"conditional_decoder.inputs: expected conditioners that know pixels, which are "
                f"{_list_knowing(base)} in this model, got '{name}'"
            )


def _list_knowing(base: Pipeline) -> str:
    names = [name for name, each in base.conditioners.items() if each.config.knows_pixels]
    return ", ".join(names) or "none"
