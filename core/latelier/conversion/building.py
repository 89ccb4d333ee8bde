"""From a preset to a model with randomly initialized weights, to train or to try."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from latelier.checkpoints.component import new_component, save_component
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import InvalidConfigError, InvalidInputError
from latelier.contracts.messages import suggestion
from latelier.conversion.destination import check_destination, check_source_outside, write_folder
from latelier.io.user_folders import expand_home
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.pipeline.composition import compose
from latelier.pipeline.pipeline import Pipeline
from latelier.pipeline.placement import resolve_device
from latelier.presets import read_preset

_log = logging.getLogger(__name__)

Assets = Mapping[str, Mapping[str, bytes]]
"""Conditioner -> file name -> content: files such as vocabularies, which presets do not hold."""


def build(
    preset: str | Path,
    *,
    seed: int = 0,
    assets: Assets | None = None,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype = "auto",
    atelier: Atelier | None = None,
) -> Pipeline:
    """Return the pipeline of a preset, with randomly initialized weights.

    Args:
        preset: a name of `latelier models presets`, or a YAML file of the same fields.
        seed: of the weights.
        assets: files that conditioners need, such as `vocab.txt`.
        device: 'auto', 'cpu', 'cuda' ...
        dtype: 'auto', 'float32', 'bfloat16' ...
        atelier: where components are registered; the default one if None.

    Raises:
        UnknownNameError: there is no such preset, or a plugin that it needs is not installed; the
            error names the pip command.
        InvalidConfigError, CompatibilityError: its parts are invalid or do not fit together, or it
            is a first stage alone.
        InvalidInputError: there is no such device, precision or conditioner.
    """
    found = read_preset(preset)
    if found.denoiser is None:
        raise InvalidConfigError(
            f"'{preset}' is a first stage alone: compose a model with it, or `latelier models "
            f"build {preset} DEST` makes a component"
        )
    with _seeded(seed):
        pipeline = compose(
            first_stage=found.first_stage.piece,
            denoiser=found.denoiser.piece,
            conditioners={name: part.piece for name, part in found.conditioners.items()},
            inputs=found.inputs,
            process=found.process,
            defaults=found.defaults,
            device=device,
            dtype=dtype,
            description=found.description,
            atelier=atelier,
        )
    for name, files in (assets or {}).items():
        _set_assets(pipeline, name, files)
    for name, component in pipeline.conditioner_components.items():
        if _takes_assets(component.module) and not component.module.assets():
            _log.warning(
                "the conditioner '%s' has no vocabulary or other files yet, and cannot read an "
                "input: give them with `latelier models build %s DEST --asset %s=FILE`, or leave "
                "them to a training that learns them",
                *(name, preset, name),
            )
    return pipeline


def build_model(
    preset: str | Path,
    destination: str | Path,
    *,
    seed: int = 0,
    assets: Assets | None = None,
    dtype: str | torch.dtype = "float32",
    force: bool = False,
    atelier: Atelier | None = None,
) -> Path:
    """Write the model of a preset, or the first stage that it is, to a new folder.

    Args:
        preset: see `build`.
        destination: the folder to make. It appears when it is complete.
        seed: of the weights.
        assets: see `build`.
        dtype: of the weights.
        force: whether an existing folder may be replaced. It must hold a model or component, or
            nothing.
        atelier: where components are registered; the default one if None.

    Raises:
        InvalidInputError: the destination exists, holds something else or the preset, or cannot be
            written.
        LatelierError: see `build`.
    """
    atelier = atelier or default_atelier()
    folder = expand_home(destination)
    check_destination(folder, force=force)
    check_source_outside(expand_home(preset), folder)
    found = read_preset(preset)
    if found.denoiser is None:
        with _seeded(seed):
            component = new_component("first_stage", *found.first_stage.piece, atelier)
        component = component.converted(resolve_device("cpu", dtype)[1])
        with write_folder(folder, force=force) as temporary:
            save_component(temporary, component)
        return folder
    pipeline = build(preset, seed=seed, assets=assets, device="cpu", atelier=atelier)
    with write_folder(folder, force=force) as temporary:
        pipeline.converted(dtype).save(temporary)
    return folder


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed torch's global generator inside the block, and restore it afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _takes_assets(conditioner: Conditioner[Any]) -> bool:
    """Return whether a conditioner needs files besides its weights."""
    return type(conditioner).set_assets is not Conditioner.set_assets


def _set_assets(pipeline: Pipeline, name: str, files: Mapping[str, bytes]) -> None:
    conditioners = pipeline.conditioner_components
    if name not in conditioners:
        raise InvalidInputError(
            f"assets: no conditioner '{name}'. {suggestion(name, conditioners)}"
        )
    module = conditioners[name].module
    module.set_assets(files)
    unknown = sorted(files.keys() - module.assets().keys())
    if unknown:
        raise InvalidInputError(f"assets: the conditioner '{name}' takes no file '{unknown[0]}'")
