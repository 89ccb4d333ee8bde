"""Published weights become a model folder of our own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from latelier.checkpoints.adapter import save_adapter
from latelier.checkpoints.component import Component, save_component
from latelier.checkpoints.importers.building import build_adapter, build_part
from latelier.checkpoints.importers.choosing import choose_importer, run_importer
from latelier.checkpoints.importers.hub import locate
from latelier.checkpoints.importers.source import open_source
from latelier.contracts.errors import ModelFileError
from latelier.contracts.importing import Imported
from latelier.conversion.destination import MODEL_FILES, check_destination
from latelier.conversion.fitting import fitting_presets
from latelier.io.atomic import atomic_folder
from latelier.io.user_folders import expand_home
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.pipeline.composition import compose

_PLACES = ("first_stage", "denoiser")


@dataclass(frozen=True)
class ImportReport:
    """What an import found and made.

    folder: where the model is now. importer: full id. alone: the kind of a component that was
    there without the rest of a model, or "adapter". components: place -> id and number of
    parameters. notes: what was found and chosen, a line each.
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
    tell: Callable[[str], None] | None = None,
    atelier: Atelier | None = None,
    **options: Any,
) -> ImportReport:
    """Read published weights and save them as a model, a component or an adapter of latelier.

    Args:
        source: a checkpoint with its YAML beside it, a folder of both, a folder of diffusers, or
            owner/name[@revision] on the hub, which alone may use the network.
        destination: the folder to make; it is whole or not there.
        config: the YAML of a checkpoint, where it is not beside it.
        importer: which registered importer reads it; by default the one that recognises it.
        force: whether a folder that is there may be replaced: one that holds a model or component,
            or nothing.
        tell: is told what is done, a few words at a time.
        atelier: where importers and components are looked up; the default one if None.
        options: for the importer.

    Raises:
        ModelFileError: the source is missing, damaged, of no known format, hostile, or its weights
            are not those of its configuration; a plugin that it needs is not installed.
        InvalidConfigError, CompatibilityError: it asks for what there is not here.
        InvalidInputError: the destination is there already, or holds what is no model.
        UnknownNameError: there is no such importer, or it has no such option.
    """
    atelier = atelier or default_atelier()
    tell = tell or (lambda _: None)
    folder = expand_home(destination)
    check_destination(folder, force=force)
    tell("looking at the source")
    path, name = locate(str(source))
    if any((path / file).is_file() for file in MODEL_FILES):
        raise ModelFileError(f"{path}: is a model or component of latelier already")
    opened = open_source(path, Path(config) if config is not None else None, options)
    id_, chosen = choose_importer(opened, importer, options, atelier)
    tell("reading the weights")
    found = run_importer(id_, chosen, opened)
    write = _write_adapter if "adapter" in found.parts else _write_model
    alone, components = write(folder, found, f"imported from {name}", tell, atelier)
    counts = {
        place: (each.id, sum(p.numel() for p in each.module.parameters()))
        for place, each in components.items()
    }
    return ImportReport(folder, id_, alone, counts, found.notes)


def _write_adapter(
    folder: Path, found: Imported, description: str, tell: Callable[[str], None], atelier: Atelier
) -> tuple[str | None, dict[str, Component]]:
    """Write an adapter; return what there is of a model, and the parts by place."""
    (name,) = found.inputs
    tell("checking the adapter")
    adapter = replace(build_adapter(found.parts, name, atelier), description=description)
    tell("writing")
    with atomic_folder(folder) as beside:
        save_adapter(adapter, beside)
    return "adapter", {"adapter": adapter.adapter, "conditioner": adapter.conditioner}


def _write_model(
    folder: Path, found: Imported, description: str, tell: Callable[[str], None], atelier: Atelier
) -> tuple[str | None, dict[str, Component]]:
    """Write a model, or a component alone; return the place of that, and the parts by place."""
    fitting = partial(fitting_presets, atelier=atelier)
    components = {}
    for place, part in found.parts.items():
        tell(f"checking {place}")
        components[place] = build_part(place, part, atelier, fitting)
    alone = _alone(found)
    tell("writing")
    with atomic_folder(folder) as beside:
        if alone is None:
            _save_pipeline(beside, found, components, atelier, description)
        else:
            save_component(beside, components[alone])
    return alone, components


def _alone(found: Imported) -> str | None:
    """Return the place of a component that is all there is, or None for a whole model."""
    places = [place for place in found.parts if place in _PLACES]
    if places == list(_PLACES) or sorted(places) == sorted(_PLACES):
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
        if place not in _PLACES
    }
    renamed = {conditioner: public for public, conditioner in found.inputs.items()}
    pipeline = compose(
        first_stage=components["first_stage"],
        denoiser=components["denoiser"],
        process=found.process,
        conditioners=conditioners,
        inputs={
            renamed.get(name, name): name
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
