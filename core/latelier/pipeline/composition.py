"""Composing a pipeline from components."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from pydantic import BaseModel

from latelier.checkpoints.component import Component, new_component
from latelier.contracts.errors import CompatibilityError, InvalidConfigError
from latelier.contracts.frozen import validate
from latelier.contracts.messages import suggestion
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
    """Return a pipeline of components. It checks that they fit before it builds any.

    A component that is built here is frozen; `requires_grad_()` makes it trainable. A built
    component is shared as it is, unless it has to move.

    Args:
        first_stage: encodes images to latents; see `Piece`.
        denoiser: of those latents.
        process: the noise process, or its fields with `kind`.
        conditioners: by the names under which the denoiser's configuration takes them.
        inputs: public input -> the conditioner or conditioners that it feeds. By default every
            conditioner is a public input itself, but for those of inpainting models, which take
            `init_image` and `mask`.
        defaults: of requests; at least the `size`.
        device: 'auto', 'cpu', 'cuda' ...
        dtype: 'float32', 'bfloat16' ...; 'auto' is float32 if a component is built here, which may
            be trained, and else what `load` chooses.
        description: one human-readable line.
        atelier: its registries have the components; None: the default one.

    Raises:
        UnknownNameError: a component is not registered.
        InvalidConfigError: a configuration or default is invalid.
        CompatibilityError: components do not fit together.
        InvalidInputError: this machine has no such device, or torch no such precision.
    """
    atelier = atelier or default_atelier()
    conditioners = conditioners or {}
    if isinstance(process, Mapping):
        process = process_from(process)
    configs = {name: _config("conditioner", each, atelier) for name, each in conditioners.items()}
    multiple = _check(atelier, first_stage, denoiser, configs)
    public = public_inputs(inputs, conditioners, inpainting_names(configs))
    defaults = _read_defaults(defaults, configs, atelier)
    check_sides("defaults: size", dict(zip(("width", "height"), defaults.size)), multiple)
    pieces = (first_stage, denoiser, *conditioners.values())
    if dtype == "auto" and not all(isinstance(each, Component) for each in pieces):
        dtype = torch.float32
    place = resolve_device(device, dtype)
    pipeline = Pipeline(
        atelier=atelier,
        first_stage_component=_build("first_stage", first_stage, atelier, place),
        denoiser_component=_build("denoiser", denoiser, atelier, place),
        conditioner_components={
            name: _build("conditioner", piece, atelier, place)
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


def _check(
    atelier: Atelier, first_stage: Piece, denoiser: Piece, conditioners: Mapping[str, Any]
) -> int:
    """Check that the pieces fit together; return what the sides of pictures are multiples of."""
    first_stage_config: Any = _config("first_stage", first_stage, atelier)
    denoiser_config: Any = _config("denoiser", denoiser, atelier)
    check_composition(first_stage_config, denoiser_config, conditioners)
    multiple: int = first_stage_config.downsampling * denoiser_config.size_multiple
    return multiple


def _config(kind: Kind, piece: Piece, atelier: Atelier) -> Any:
    if not isinstance(piece, Component):
        return atelier.registries[kind].validate_config(*piece)
    if piece.kind != kind:
        raise CompatibilityError(f"expected a {kind}, found '{piece.id}', a {piece.kind}")
    return piece.config


def _build(
    kind: Kind, piece: Piece, atelier: Atelier, place: tuple[torch.device, torch.dtype]
) -> Component:
    if isinstance(piece, Component):
        return piece.to(*place)
    component = new_component(kind, *piece, atelier)
    component.module.to(*place).eval().requires_grad_(False)
    return component


def _read_defaults(
    values: Defaults | Mapping[str, Any], conditioners: Mapping[str, Any], atelier: Atelier
) -> Defaults:
    if isinstance(values, Mapping) and not any(map(_has_null, conditioners.values())):
        values = {"guidance": 1.0, **values}
    defaults = validate(Defaults, values, "defaults")
    defaults.sampler.resolve(atelier.samplers)
    defaults.schedule.resolve(atelier.schedules)
    defaults.guidance.resolve(atelier.guidances)
    if defaults.database is not None:
        atelier.databases.spec(defaults.database)
    return defaults


def _has_null(config: Any) -> bool:
    """Return whether guidance has a null part of a conditioner; few spatial parts have one."""
    if config.is_kept_in_negative:
        return False
    outputs = config.outputs()
    return outputs.stream is not None or outputs.vector is not None or config.is_guided


def inpainting_names(configs: Mapping[str, Any]) -> list[str]:
    """Return the conditioners that take `init_image` and `mask`, from their configurations."""
    return [name for name, config in configs.items() if config.is_inpainting]


def public_inputs(
    inputs: Mapping[str, str | Sequence[str]] | None,
    conditioners: Collection[str],
    inpainting: Collection[str] = (),
) -> dict[str, tuple[str, ...]]:
    """Return the conditioners that each public input feeds.

    Args:
        inputs: public input -> the conditioner or conditioners that it feeds; None: each
            conditioner that is not of inpainting is an input itself.
        conditioners: their names.
        inpainting: those that need no public input: they take `init_image` and `mask`.

    Raises:
        InvalidConfigError: an input has the name of a keyword or feeds none of the conditioners, or
            a conditioner is not fed by exactly one input.
    """
    if inputs is None:
        inputs = {name: name for name in conditioners if name not in inpainting}
    public = {
        name: (names,) if isinstance(names, str) else tuple(names) for name, names in inputs.items()
    }
    for name, names in public.items():
        if name in KEYWORDS:
            raise InvalidConfigError(f"an input cannot be called '{name}': a keyword has that name")
        if not names:
            raise InvalidConfigError(f"the input '{name}' feeds no conditioner")
    feeds = [name for names in public.values() for name in names]
    for name in feeds:
        if name not in conditioners:
            raise InvalidConfigError(
                f"inputs feed '{name}', which is not a conditioner. "
                f"{suggestion(name, conditioners)}"
            )
    for name in conditioners:
        if feeds.count(name) != 1 and not (name in inpainting and name not in feeds):
            raise InvalidConfigError(
                f"conditioner '{name}' is fed by {feeds.count(name)} public inputs, not by one"
            )
    return public
