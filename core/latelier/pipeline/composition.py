"""Putting components together."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from pydantic import BaseModel

from latelier.checkpoints.component import Component, new_component
from latelier.contracts.errors import CompatibilityError, InvalidConfigError, suggestion
from latelier.contracts.frozen import validate
from latelier.diffusion.processes.kinds import process_from
from latelier.diffusion.processes.process import Process
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.kernel.spec import Kind
from latelier.pipeline.compatibility import check_composition
from latelier.pipeline.pipeline import Pipeline
from latelier.pipeline.placement import resolve_device
from latelier.pipeline.request import KEYWORDS, Defaults, check_sides

Piece = Component | tuple[str, Mapping[str, Any] | BaseModel]
"""A built component, or a registered name and a configuration to build one from."""


def compose(
    *,
    first_stage: Piece,
    denoiser: Piece,
    process: Process | Mapping[str, Any],
    conditioners: Mapping[str, Piece] | None = None,
    inputs: Mapping[str, str | Sequence[str]] | None = None,
    defaults: Defaults | Mapping[str, Any],
    device: str | torch.device = "auto",
    dtype: str | torch.dtype = "auto",
    description: str = "",
    atelier: Atelier | None = None,
) -> Pipeline:
    """Return a pipeline. That its components fit together is checked before any is built.

    Args:
        first_stage: of images; see `Piece`. A built component is shared, unless it has to move.
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
            would; nothing has been built then.
        InvalidInputError: there is no such device or precision here.
    """
    atelier = atelier or default_atelier()
    conditioners = conditioners or {}
    if isinstance(process, Mapping):
        process = process_from(process)
    multiple = _checked(atelier, first_stage, denoiser, conditioners)
    public = public_inputs(inputs, conditioners)
    defaults = _defaults(defaults, conditioners, atelier)
    check_sides("defaults: size", dict(zip(("width", "height"), defaults.size)), multiple)
    place = resolve_device(device, dtype)
    pipeline = Pipeline(
        atelier=atelier,
        first_stage_component=_built("first_stage", first_stage, atelier, place),
        denoiser_component=_built("denoiser", denoiser, atelier, place),
        conditioner_components={
            name: _built("conditioner", piece, atelier, place)
            for name, piece in conditioners.items()
        },
        process=process,
        inputs=public,
        defaults=defaults,
        device=place[0],
        dtype=place[1],
        description=description,
    )
    atelier.dispatcher().emit("latelier_pipeline_composed", pipeline=pipeline)
    return pipeline


def _checked(
    atelier: Atelier, first_stage: Piece, denoiser: Piece, conditioners: Mapping[str, Piece]
) -> int:
    """Check that the pieces fit together; return what the sides of pictures are multiples of."""
    configs: Any = {
        name: _config("conditioner", piece, atelier) for name, piece in conditioners.items()
    }
    first_stage_config: Any = _config("first_stage", first_stage, atelier)
    denoiser_config: Any = _config("denoiser", denoiser, atelier)
    check_composition(first_stage_config, denoiser_config, configs)
    multiple: int = first_stage_config.downsampling * denoiser_config.size_multiple
    return multiple


def _config(kind: Kind, piece: Piece, atelier: Atelier) -> BaseModel:
    if not isinstance(piece, Component):
        return atelier.registry(kind).validate_config(*piece)
    if piece.kind != kind:
        raise CompatibilityError(f"'{piece.id}' is a {piece.kind}, a {kind} is wanted")
    return piece.config


def _built(
    kind: Kind, piece: Piece, atelier: Atelier, place: tuple[torch.device, torch.dtype]
) -> Component:
    if isinstance(piece, Component):
        return piece.to(*place)
    component = new_component(kind, *piece, atelier)
    component.module.to(*place).eval()
    return component


def _defaults(
    values: Defaults | Mapping[str, Any], conditioners: Mapping[str, Piece], atelier: Atelier
) -> Defaults:
    if isinstance(values, Mapping) and not any(
        _has_null(_config("conditioner", piece, atelier)) for piece in conditioners.values()
    ):
        values = {"guidance": 1.0, **values}
    defaults = validate(Defaults, values, "defaults")
    defaults.sampler.resolved(atelier.samplers)
    defaults.schedule.resolved(atelier.schedules)
    defaults.guidance.resolved(atelier.guidances)
    return defaults


def _has_null(config: Any) -> bool:
    """Return whether guidance can steer away from what a conditioner gives (spatial parts not)."""
    gives = config.outputs()
    return gives.stream is not None or gives.vector is not None


def public_inputs(
    inputs: Mapping[str, str | Sequence[str]] | None, conditioners: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Return the conditioners that each public input feeds; None: each is an input itself.

    Raises:
        InvalidConfigError: an input has the name of a keyword or feeds none of the conditioners, or
            a conditioner is not fed by one input.
    """
    if inputs is None:
        inputs = {name: name for name in conditioners}
    for name in inputs:
        if name in KEYWORDS:
            raise InvalidConfigError(f"an input cannot be called '{name}': a keyword has that name")
    public = {name: (fed,) if isinstance(fed, str) else tuple(fed) for name, fed in inputs.items()}
    for name, names in public.items():
        if not names:
            raise InvalidConfigError(f"the input '{name}' feeds no conditioner")
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
