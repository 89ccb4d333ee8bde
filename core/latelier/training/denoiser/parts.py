"""The components of a denoiser's training: from its configuration, or from another model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from latelier.checkpoints.component import Component, assets_of, new_component
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import CompatibilityError, InvalidConfigError
from latelier.contracts.messages import suggestion
from latelier.diffusion.processes.kinds import process_from
from latelier.diffusion.processes.process import Process
from latelier.kernel.atelier import Atelier
from latelier.nn.module import to_module_dict
from latelier.pipeline.compatibility import check_composition
from latelier.pipeline.pipeline import Pipeline
from latelier.pipeline.storage.sources import DEFAULT_FIRST_STAGE
from latelier.training.components import copy_weights, load_base_model, load_first_stage
from latelier.training.conditioning import check_sources
from latelier.training.configs.components import InputSource
from latelier.training.configs.denoiser import ConditionerTraining, DenoiserTraining
from latelier.training.data.samples import TrainingSamples
from latelier.training.prediction.parts import PredictionParts
from latelier.training.randomness import seed_torch


@dataclass(frozen=True, kw_only=True)
class DenoiserParts(PredictionParts):
    """The components of a denoiser's training, and what its result says.

    Attributes:
        inputs: The pipeline's public inputs, and the conditioners that each feeds.
        defaults: The pipeline's defaults, but for the size.
        description: One line about the pipeline.
        card: Facts about it.
    """

    inputs: Mapping[str, tuple[str, ...]]
    defaults: Mapping[str, Any]
    description: str
    card: Mapping[str, Any]


def resolve_parts(
    config: DenoiserTraining, samples: TrainingSamples, atelier: Atelier
) -> DenoiserParts:
    """Build or load the parts of a training and check that they fit together.

    Args:
        config: The training.
        samples: Its data.
        atelier: Its registries have the components.

    Raises:
        UnknownNameError: a component is not registered, or the first stage or model not found.
        CompatibilityError: the components do not fit together.
        ModelFileError: the first stage or model cannot be read.
        InvalidConfigError: a part of the configuration is invalid, the weights of the model to
            start from do not fit, or the data lack an input.
    """
    start = None
    if config.start_from is not None:
        start = load_base_model("start_from", config.start_from, atelier)
    choices = _list_conditioners(config, start)
    first_stage = _resolve_first_stage(config, start, atelier)
    with seed_torch(config.seed, 0, torch.device("cpu")):
        denoiser = _resolve_denoiser(config, start, atelier)
        conditioners = {
            name: _resolve_conditioner(name, choice, config, start, atelier)
            for name, choice in choices.items()
        }
    _check_parts(config, first_stage, denoiser, conditioners)
    frozen = {name: conditioners[name] for name, choice in choices.items() if choice.frozen}
    for component in frozen.values():
        component.module.eval().requires_grad_(False)
    trained = {name: each.module for name, each in conditioners.items() if name not in frozen}
    sources = _resolve_sources(config, choices, _public_names(conditioners, start), samples[0])
    check_sources(sources, samples.list_fields(), "conditioner")
    _check_absences(config, conditioners, sources)
    return DenoiserParts(
        first_stage=first_stage,
        denoiser=denoiser,
        conditioners=conditioners,
        process=_resolve_process(config, start),
        sources=sources,
        trained={"denoiser": denoiser.module, "conditioners": to_module_dict(trained)},
        fixed={
            "first_stage": first_stage,
            **{f"conditioners.{name}": component for name, component in frozen.items()},
        },
        learners=conditioners,
        fitted=frozenset(conditioners) if start else frozenset(),
        constant=_list_constant(frozen if start else _without_learners(frozen), conditioners),
        origin=config.start_from or str(config.out),
        inputs=_resolve_inputs(choices, conditioners, start),
        **_describe_result(config, start),
    )


def _without_learners(conditioners: Mapping[str, Component]) -> dict[str, Component]:
    """Return the conditioners that learn nothing from data when training starts."""
    return {
        name: component
        for name, component in conditioners.items()
        if type(component.module).fit is Conditioner.fit
    }


def _list_constant(
    frozen: Mapping[str, Component], conditioners: Mapping[str, Component]
) -> dict[str, Component]:
    """Return the frozen conditioners, and those that have no weights and learn nothing."""
    weightless = {
        name: component
        for name, component in _without_learners(conditioners).items()
        if not component.module.state_dict()
    }
    return {**frozen, **weightless}


def _list_conditioners(
    config: DenoiserTraining, start: Pipeline | None
) -> dict[str, ConditionerTraining]:
    """Return the conditioners of the configuration, and those of the model that it leaves out."""
    if start is None or config.denoiser is not None:
        return dict(config.conditioners)
    for name, choice in config.conditioners.items():
        if choice.id is None and name not in start.conditioner_components:
            raise InvalidConfigError(
                f"conditioners.{name}: '{config.start_from}' has no conditioner of that name. "
                f"{suggestion(name, start.conditioner_components)}"
            )
    inherited = {name: ConditionerTraining() for name in start.conditioner_components}
    return {**inherited, **config.conditioners}


def _resolve_first_stage(
    config: DenoiserTraining, start: Pipeline | None, atelier: Atelier
) -> Component:
    if config.first_stage is None and start is not None:
        return start.first_stage_component
    return load_first_stage("first_stage", config.first_stage or DEFAULT_FIRST_STAGE, atelier)


def _resolve_denoiser(
    config: DenoiserTraining, start: Pipeline | None, atelier: Atelier
) -> Component:
    if config.denoiser is None:
        assert start is not None  # see `DenoiserTraining`
        return _make_trainable(start.denoiser_component)
    component = new_component("denoiser", config.denoiser.id, config.denoiser.config, atelier)
    if start is not None:
        copy_weights("denoiser", component, start.denoiser_component, str(config.start_from))
    return component


def _resolve_conditioner(
    name: str,
    choice: ConditionerTraining,
    config: DenoiserTraining,
    start: Pipeline | None,
    atelier: Atelier,
) -> Component:
    available = {} if start is None else start.conditioner_components
    if choice.id is None:
        return _make_trainable(available[name])
    component = new_component("conditioner", choice.id, choice.config, atelier)
    if start is not None:
        if name not in available:
            raise InvalidConfigError(
                f"start_from: '{config.start_from}' has no conditioner '{name}'. "
                f"{suggestion(name, available)}"
            )
        copy_weights(f"conditioners.{name}", component, available[name], str(config.start_from))
        component.module.set_assets(assets_of(available[name].module))
    return component


def _make_trainable(component: Component) -> Component:
    """Return a loaded component whose weights can change: they are mapped from its file."""
    module = component.module
    for parameter in module.parameters():
        parameter.data = parameter.data.clone()
    module.train().requires_grad_(True)
    return component


def _check_parts(
    config: DenoiserTraining,
    first_stage: Component,
    denoiser: Component,
    conditioners: Mapping[str, Component],
) -> None:
    configs: Any = {name: each.config for name, each in conditioners.items()}
    try:
        check_composition(first_stage.module.config, denoiser.module.config, configs)
    except CompatibilityError as error:
        if config.first_stage is not None or config.start_from is not None:
            raise
        raise CompatibilityError(
            f"{error}. The first stage is that of '{DEFAULT_FIRST_STAGE}', since 'first_stage' "
            "names none"
        ) from None


def _check_absences(
    config: DenoiserTraining,
    conditioners: Mapping[str, Component],
    sources: Mapping[str, InputSource],
) -> None:
    """Check that training drops the spatial inputs that may be missing afterwards."""
    drops_others = config.drop_all > 0 or (config.keep_one > 0 and len(sources) > 1)
    for name, each in sources.items():
        is_optional = conditioners[name].module.config.is_optional
        if is_optional and each.drop == 0 and not drops_others:
            raise InvalidConfigError(
                f"conditioners.{name}: by its config the input may be missing, but training never "
                "drops it; set drop, keep_one or drop_all above 0"
            )


def _resolve_process(config: DenoiserTraining, start: Pipeline | None) -> Process:
    if config.process is not None:
        return process_from(config.process)
    return process_from({"kind": "rectified_flow"}) if start is None else start.process


def _resolve_sources(
    config: DenoiserTraining,
    choices: Mapping[str, ConditionerTraining],
    public: Mapping[str, str],
    sample: Mapping[str, Any],
) -> dict[str, InputSource]:
    """Return the sources of the inputs.

    A conditioner of the model that the configuration does not name, and the data have no input for,
    gives its null part.
    """
    sources = {}
    for name, choice in choices.items():
        source = choice.source or public.get(name, name)
        if name in config.conditioners or source in sample:
            sources[name] = InputSource(source=source, drop=choice.drop)
    if choices and not sources:
        raise InvalidConfigError(
            f"conditioners: the data samples have none of the fields {sorted(public.values())} "
            f"that '{config.start_from}' takes; they have {sorted(sample)}. Name one, such as "
            "conditioners: {text: {source: prompt}}"
        )
    return sources


def _resolve_inputs(
    choices: Mapping[str, ConditionerTraining],
    conditioners: Mapping[str, Component],
    start: Pipeline | None,
) -> dict[str, tuple[str, ...]]:
    """Return the public inputs: as configured, else the model's own, else named as the source.

    Conditioners of inpainting have none: a run gives them `init_image` and `mask`.
    """
    public = _public_names(conditioners, start)
    inputs: dict[str, tuple[str, ...]] = {}
    for name, choice in choices.items():
        key = choice.input or public.get(name, choice.source)
        is_inpainting = conditioners[name].module.config.is_inpainting
        if is_inpainting and choice.input is not None:
            raise InvalidConfigError(
                f"conditioners.{name}.input: a run gives it `init_image` and `mask`; leave it out"
            )
        if key is not None and not is_inpainting:
            inputs[key] = (*inputs.get(key, ()), name)
    return inputs


def _describe_result(config: DenoiserTraining, start: Pipeline | None) -> dict[str, Any]:
    """Return defaults, description and card. What was measured of the model is not true any more.

    Its licence is that of what is made of it.
    """
    if start is None:
        return {"defaults": config.defaults, "description": config.description, "card": {}}
    return {
        "defaults": {**start.defaults.model_dump(exclude={"size"}), **config.defaults},
        "description": config.description or start.description,
        "card": {key: start.card[key] for key in ("licence",) if key in start.card},
    }


def _public_names(conditioners: Mapping[str, Component], start: Pipeline | None) -> dict[str, str]:
    """Return the public input of each conditioner of a model; those of inpainting see the image."""
    pairs = {} if start is None else start.inputs
    names = {name: public for public, names in pairs.items() for name in names}
    inpainting = [name for name, each in conditioners.items() if each.module.config.is_inpainting]
    return {**dict.fromkeys(inpainting, "image"), **names}
