"""From published weights to a model folder of latelier."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from latelier.checkpoints.adapter import save_adapter
from latelier.checkpoints.component import Component, save_component
from latelier.checkpoints.importers.building import build_adapter, build_part
from latelier.checkpoints.importers.choosing import check_config, choose_importer, run_importer
from latelier.checkpoints.importers.hub import Located, locate
from latelier.checkpoints.importers.source import Source, open_source
from latelier.contracts.errors import ModelFileError
from latelier.contracts.importing import Imported, Importer
from latelier.conversion.destination import (
    MODEL_FILES,
    check_destination,
    report_read_errors,
    write_folder,
)
from latelier.conversion.fitting import find_presets
from latelier.io.user_folders import expand_home
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.pipeline.composition import compose

_MODEL_PLACES = ("first_stage", "denoiser")

ReportStage = Callable[[str], None]
"""Takes what is done now, in a few words."""


@dataclass(frozen=True)
class ImportReport:
    """The result of an import.

    Attributes:
        folder: of the model.
        importer: full id.
        alone: the kind of a component without the rest of a model, or "adapter"; None for a model.
        components: place -> id and number of parameters.
        notes: what was found and decided, a line each.
    """

    folder: Path
    importer: str
    alone: str | None
    components: Mapping[str, tuple[str, int]]
    notes: tuple[str, ...]


def import_model(
    source: str | Path,
    destination: str | Path,
    *,
    config: str | Path | None = None,
    importer: str | None = None,
    force: bool = False,
    on_stage: ReportStage | None = None,
    atelier: Atelier | None = None,
    **options: Any,
) -> ImportReport:
    """Read published weights and save them as a model, a component or an adapter of latelier.

    Args:
        source: a checkpoint with its YAML in the same folder, a folder of both, a folder of
            diffusers, or owner/name[@revision] on the hub, which alone may use the network.
        destination: the folder to make. It appears when it is complete.
        config: the YAML of a checkpoint; None: the one in the same folder.
        importer: a registered importer; None: the one that recognises the source.
        force: whether an existing folder may be replaced. It must hold a model or component, or
            nothing.
        on_stage: takes what is done now, in a few words.
        atelier: where importers and components are registered; the default one if None.
        options: for the importer.

    Raises:
        ModelFileError: The source is missing, damaged, hostile or of an unknown format; its weights
            do not fit their configuration; or a plugin that it needs is not installed.
        InvalidConfigError, CompatibilityError: The source asks for something that is not supported.
        InvalidInputError: The destination exists, holds something else, or cannot be written.
        UnknownNameError: There is no such importer, or it has no such option.
    """
    atelier = atelier or default_atelier()
    on_stage = on_stage or (lambda _: None)
    folder = expand_home(destination)
    check_destination(folder, force=force)
    on_stage("looking at the source")
    with report_read_errors(str(source)):
        located = locate(str(source))
        if any((located.path / file).is_file() for file in MODEL_FILES):
            raise ModelFileError(f"{located.path}: is a model or component of latelier already")
        yaml = None if config is None else expand_home(config)
        opened, (id_, reader) = _open(located, yaml, importer, options, atelier, on_stage)
        try:
            on_stage("reading the weights")
            found = run_importer(id_, reader, opened)
            alone, components = _write(folder, found, located.name, on_stage, atelier)
        finally:
            opened.copies.remove()
    counts = {
        place: (each.id, sum(p.numel() for p in each.module.parameters()))
        for place, each in components.items()
    }
    return ImportReport(folder, id_, alone, counts, found.notes)


def _open(
    located: Located,
    config: Path | None,
    importer: str | None,
    options: Mapping[str, Any],
    atelier: Atelier,
    on_stage: ReportStage,
) -> tuple[Source, tuple[str, Importer]]:
    """Return the opened source and its importer, after fetching what is on the hub.

    A model that cannot be imported is refused by its configuration, before its weights are fetched.
    """
    if located.configured:
        opened = open_source(located.path, config, options)
        id_, reader = choose_importer(opened, importer, options, atelier)
        check_config(id_, reader, opened)
    on_stage("fetching the weights")
    located.fetch_weights()
    opened = open_source(located.path, config, options)
    try:
        return opened, choose_importer(opened, importer, options, atelier)
    except BaseException:
        opened.copies.remove()
        raise


def _write(
    folder: Path, found: Imported, name: str, on_stage: ReportStage, atelier: Atelier
) -> tuple[str | None, dict[str, Component]]:
    """Write a model, a component or an adapter; return `ImportReport.alone`, and the parts."""
    write = _write_adapter if "adapter" in found.parts else _write_model
    return write(folder, found, f"imported from {name}", on_stage, atelier)


def _write_adapter(
    folder: Path, found: Imported, description: str, on_stage: ReportStage, atelier: Atelier
) -> tuple[str | None, dict[str, Component]]:
    (name,) = found.inputs
    on_stage("checking the adapter")
    adapter = replace(build_adapter(found.parts, name, atelier), description=description)
    on_stage("writing")
    with write_folder(folder) as temporary:
        save_adapter(adapter, temporary)
    return "adapter", {"adapter": adapter.adapter, "conditioner": adapter.conditioner}


def _write_model(
    folder: Path, found: Imported, description: str, on_stage: ReportStage, atelier: Atelier
) -> tuple[str | None, dict[str, Component]]:
    presets = partial(find_presets, atelier=atelier)
    components = {}
    for place, part in found.parts.items():
        on_stage(f"checking {place}")
        components[place] = build_part(place, part, atelier, presets)
    alone = _place_alone(found)
    on_stage("writing")
    with write_folder(folder) as temporary:
        if alone is None:
            _save_pipeline(temporary, found, components, atelier, description)
        else:
            save_component(temporary, components[alone])
    return alone, components


def _place_alone(found: Imported) -> str | None:
    """Return the place of the only component, or None for a whole model."""
    places = [place for place in found.parts if place in _MODEL_PLACES]
    if sorted(places) == sorted(_MODEL_PLACES):
        return None
    if len(found.parts) != 1 or not places:
        raise ModelFileError(f"the source holds {', '.join(found.parts)}: no whole model")
    return places[0]


def _save_pipeline(
    folder: Path,
    found: Imported,
    components: Mapping[str, Component],
    atelier: Atelier,
    description: str,
) -> None:
    conditioners: dict[str, Any] = {
        place.removeprefix("conditioners."): component
        for place, component in components.items()
        if place not in _MODEL_PLACES
    }
    public_names = {conditioner: public for public, conditioner in found.inputs.items()}
    pipeline = compose(
        first_stage=components["first_stage"],
        denoiser=components["denoiser"],
        process=found.process,
        conditioners=conditioners,
        inputs={
            public_names.get(name, name): name
            for name, component in conditioners.items()
            if not component.config.is_inpainting
        },
        defaults=found.defaults,
        device="cpu",
        dtype="float32",
        description=description,
        atelier=atelier,
    )
    pipeline.save(folder)
