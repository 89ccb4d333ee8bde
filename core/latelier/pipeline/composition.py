"""Putting components together."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pydantic import BaseModel

from latelier import default_atelier
from latelier.checkpoints.component import Component, new_component
from latelier.diffusion.process import Process
from latelier.diffusion.processes import process_from
from latelier.kernel.atelier import Atelier
from latelier.kernel.compatibility import check_composition
from latelier.kernel.errors import InvalidConfigError, suggestion
from latelier.kernel.frozen import validated
from latelier.kernel.spec import Kind
from latelier.pipeline.pipeline import Pipeline
from latelier.pipeline.placement import placement
from latelier.pipeline.request import Defaults

Part = Component | tuple[str, Mapping[str, Any] | BaseModel]
"""A built component, or a registered name and a configuration to build one from."""


def compose(
    *,
    first_stage: Part,
    denoiser: Part,
    process: Process | Mapping[str, Any],
    conditioners: Mapping[str, Part] | None = None,
    inputs: Mapping[str, str | Sequence[str]] | None = None,
    defaults: Defaults | Mapping[str, Any],
    device: str | torch.device = "auto",
    dtype: str | torch.dtype = "auto",
    description: str = "",
    atelier: Atelier | None = None,
) -> Pipeline:
    """Return a pipeline. That its components fit together is checked before any is built.

    Args:
        first_stage: of images; see `Part`.
        denoiser: of its latents.
        process: the noise process, or its fields with `kind`.
        conditioners: by the names under which the denoiser's configuration takes them.
        inputs: public input -> the conditioner or conditioners that it feeds; by default every
            conditioner is a public input itself.
        defaults: at least the `size`.
        device: 'auto', 'cpu', 'cuda' ...
        dtype: 'auto', 'float32', 'bfloat16' ...
        description: one line for people.
        atelier: where names are looked up; the default one if None.

    Raises:
        UnknownNameError, InvalidConfigError, CompatibilityError: says what does not fit, and what
            would.
    """
    atelier = atelier or default_atelier()
    conditioners = conditioners or {}
    if isinstance(process, Mapping):
        process = process_from(process)
    _check(atelier, first_stage, denoiser, conditioners)
    place = placement(device, dtype)
    pipeline = Pipeline(
        atelier=atelier,
        first_stage_component=_built("first_stage", first_stage, atelier, place),
        denoiser_component=_built("denoiser", denoiser, atelier, place),
        conditioner_components={
            name: _built("conditioner", part, atelier, place) for name, part in conditioners.items()
        },
        process=process,
        inputs=_public_inputs(inputs, conditioners),
        defaults=validated(Defaults, defaults, "defaults"),
        device=place[0],
        dtype=place[1],
        description=description,
    )
    atelier.announcer().tell("latelier_pipeline_composed", pipeline=pipeline)
    return pipeline


def _check(
    atelier: Atelier, first_stage: Part, denoiser: Part, conditioners: Mapping[str, Part]
) -> None:
    configs: Any = {
        name: _config("conditioner", part, atelier) for name, part in conditioners.items()
    }
    first_stage_config: Any = _config("first_stage", first_stage, atelier)
    denoiser_config: Any = _config("denoiser", denoiser, atelier)
    check_composition(first_stage_config, denoiser_config, configs)


def _config(kind: Kind, part: Part, atelier: Atelier) -> BaseModel:
    if isinstance(part, Component):
        return part.config
    return atelier.registry(kind).configured(*part)


def _built(
    kind: Kind, part: Part, atelier: Atelier, place: tuple[torch.device, torch.dtype]
) -> Component:
    component = part if isinstance(part, Component) else new_component(kind, *part, atelier)
    component.module.to(*place)
    return component


def _public_inputs(
    inputs: Mapping[str, str | Sequence[str]] | None, conditioners: Mapping[str, Part]
) -> dict[str, tuple[str, ...]]:
    if inputs is None:
        return {name: (name,) for name in conditioners}
    public = {name: (fed,) if isinstance(fed, str) else tuple(fed) for name, fed in inputs.items()}
    fed = [name for names in public.values() for name in names]
    for name in fed:
        if name not in conditioners:
            raise InvalidConfigError(
                f"inputs feed '{name}', which is no conditioner. {suggestion(name, conditioners)}"
            )
    for name in conditioners:
        if fed.count(name) != 1:
            raise InvalidConfigError(
                f"conditioner '{name}' is fed by {fed.count(name)} public inputs, not by one"
            )
    return public
