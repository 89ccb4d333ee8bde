"""From published weights to a model folder of latelier."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from latelier.checkpoints.adapter import LoadedAdapter, save_adapter
from latelier.checkpoints.component import Component, save_component
from latelier.checkpoints.importers.building import build_part
from latelier.checkpoints.importers.choosing import check_config, choose_importer, run_importer
from latelier.checkpoints.importers.fit import IGNORE_LEFTOVERS, ignored_notes
from latelier.checkpoints.importers.hub import Located, locate
from latelier.checkpoints.importers.source import LocalSource, open_source
from latelier.contracts.errors import ModelFileError
from latelier.contracts.importing import Imported, Importer
from latelier.conversion.destination import (
    MODEL_FILES,
    check_destination,
    check_source_outside,
    report_read_errors,
    write_folder,
)
from latelier.conversion.fitting import find_presets
from latelier.io.user_folders import expand_home
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.pipeline.composition import compose, inpainting_names, public_inputs

_MODEL_PLACES = ("first_stage", "denoiser")

ReportStage = Callable[[str], None]
"""Takes what is done now, in a few words."""


class ImportedComponent(NamedTuple):
    """A component that was imported.

    Attributes:
        id: full id.
        parameters: their number.
        precision: of its weights, as they are stored: "float16"; or several, with commas; "" where
            there are none.
    """

    id: str
    parameters: int
    precision: str


@dataclass(frozen=True)
class ImportReport:
    """The result of an import.

    Attributes:
        folder: of the model.
        importer: full id.
        standalone_kind: the kind of a component without a model, or "adapter"; None for a model.
        components: by place.
        inputs: names of the public inputs that an adapter adds.
        notes: what was found and decided, a line each.
    """

    folder: Path
    importer: str
    standalone_kind: str | None
    components: Mapping[str, ImportedComponent]
    inputs: tuple[str, ...]
    notes: tuple[str, ...]


def import_model(
    source: str | Path,
    destination: str | Path,
    *,
    config: str | Path | None = None,
    importer: str | None = None,
    ignore_leftovers: Sequence[str] = (),
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
        importer: a registered importer; None: the one that recognizes the source.
        ignore_leftovers: names of unexpected tensors to ignore; * stands for any characters.
            Missing tensors are always an error.
        force: whether an existing folder may be replaced. It must hold a model or component, or
            nothing.
        on_stage: takes what is done now, in a few words.
        atelier: where importers and components are registered; the default one if None.
        options: for the importer.

    Raises:
        ModelFileError: the source is missing, damaged, hostile or of an unknown format; its weights
            do not fit their configuration; or a plugin that it needs is not installed.
        InvalidConfigError, CompatibilityError: the source asks for something that is not supported.
        InvalidInputError: the destination exists, holds something else or the source, or cannot be
            written.
        UnknownNameError: there is no such importer, or it has no such option.
    """
    atelier = atelier or default_atelier()
    on_stage = on_stage or (lambda _: None)
    folder = expand_home(destination)
    yaml = None if config is None else expand_home(config)
    check_destination(folder, force=force)
    for path in (expand_home(source), *([yaml] if yaml else [])):
        check_source_outside(path, folder)
    on_stage("looking at the source")
    with report_read_errors(str(source)):
        located = locate(str(source))
        if any((located.path / file).is_file() for file in MODEL_FILES):
            raise ModelFileError(f"{located.path}: is a model or component of latelier already")
        request = _Request(yaml, importer, options, ignore_leftovers, atelier)
        opened, (id_, reader) = _open(located, request, on_stage)
        try:
            on_stage("reading the weights")
            found = run_importer(id_, reader, opened)
            components = _build(found, request, on_stage)
            standalone_kind = _find_standalone_kind(found)
            on_stage("writing")
            with write_folder(folder, force=force) as temporary:
                _write(temporary, found, components, f"imported from {located.name}", atelier)
        finally:
            opened.copies.remove()
    described = {place: _describe(component) for place, component in components.items()}
    ignored = [
        note
        for place, each in components.items()
        for note in ignored_notes(
            found.parts[place].tensors.keys() - each.module.state_dict().keys()
        )
    ]
    inputs = tuple(found.inputs) if standalone_kind == "adapter" else ()
    notes = (*found.notes, *ignored)
    return ImportReport(folder, id_, standalone_kind, described, inputs, notes)


@dataclass(frozen=True)
class _Request:
    """The arguments of `import_model` that concern the source."""

    config: Path | None
    importer: str | None
    options: Mapping[str, Any]
    ignore_leftovers: Sequence[str]
    atelier: Atelier

    def open(self, path: Path) -> LocalSource:
        """Return the source at `path`."""
        ignore = {IGNORE_LEFTOVERS: self.ignore_leftovers} if self.ignore_leftovers else {}
        return open_source(path, self.config, {**self.options, **ignore})

    def choose_importer(self, source: LocalSource) -> tuple[str, Importer]:
        """Return the id of the importer of `source`, and the importer."""
        return choose_importer(source, self.importer, self.options, self.atelier)


def _open(
    located: Located, request: _Request, on_stage: ReportStage
) -> tuple[LocalSource, tuple[str, Importer]]:
    """Return the opened source and its importer, after fetching what is on the hub.

    A model that cannot be imported is refused by its configuration, before its weights are fetched.
    """
    if located.configured:
        opened = request.open(located.path)
        id_, importer = request.choose_importer(opened)
        check_config(id_, importer, opened)
    on_stage("fetching the weights")
    located.fetch_weights()
    opened = request.open(located.path)
    try:
        return opened, request.choose_importer(opened)
    except BaseException:
        opened.copies.remove()
        raise


def _build(found: Imported, request: _Request, on_stage: ReportStage) -> dict[str, Component]:
    """Return the components of a model or of an adapter, by place."""
    presets = partial(find_presets, atelier=request.atelier)
    components = {}
    for place, part in found.parts.items():
        on_stage(f"checking {place}")
        components[place] = build_part(
            place, part, request.atelier, presets, request.ignore_leftovers
        )
    return components


def _find_standalone_kind(found: Imported) -> str | None:
    """Return the place of the only component, "adapter", or None for a whole model."""
    if "adapter" in found.parts:
        return "adapter"
    places = [place for place in found.parts if place in _MODEL_PLACES]
    if sorted(places) == sorted(_MODEL_PLACES):
        return None
    if len(found.parts) != 1 or not places:
        raise ModelFileError(f"the source holds {', '.join(found.parts)}: no whole model")
    return places[0]


def _write(
    folder: Path,
    found: Imported,
    components: Mapping[str, Component],
    description: str,
    atelier: Atelier,
) -> None:
    """Write a model, a component or an adapter."""
    standalone_kind = _find_standalone_kind(found)
    if standalone_kind is None:
        _save_pipeline(folder, found, components, atelier, description)
    elif standalone_kind == "adapter":
        (name,) = found.inputs
        adapter, conditioner = components["adapter"], components["conditioner"]
        save_adapter(LoadedAdapter(name, adapter, conditioner, description), {}, folder)
    else:
        save_component(folder, components[standalone_kind])


def _save_pipeline(
    folder: Path,
    found: Imported,
    components: Mapping[str, Component],
    atelier: Atelier,
    description: str,
) -> None:
    conditioners = {_name(place): components[place] for place in _conditioner_places(found)}
    configs = {name: component.config for name, component in conditioners.items()}
    dtype = next(iter(_precisions(components["denoiser"])), torch.float32)
    pipeline = compose(
        first_stage=components["first_stage"],
        denoiser=components["denoiser"],
        process=found.process,
        conditioners=conditioners,
        inputs=find_inputs(found, inpainting_names(configs)),
        defaults=found.defaults,
        device="cpu",
        dtype=dtype,  # what is written is the precision of each
        description=description,
        atelier=atelier,
    )
    pipeline.save(folder)


def find_inputs(found: Imported, inpainting: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return the conditioners that each public input of a model feeds.

    Args:
        found: the model. Its conditioners that none of its inputs feeds are inputs themselves.
        inpainting: conditioners that take `init_image` and `mask` and need no public input.

    Raises:
        InvalidConfigError: an input feeds no conditioner of the model, or has the name of a keyword
            of `generate`; or two inputs feed one conditioner.
    """
    conditioners = [_name(place) for place in _conditioner_places(found)]
    named = public_inputs(found.inputs, conditioners, inpainting=conditioners)
    fed = {name for names in named.values() for name in names}
    return named | {name: (name,) for name in conditioners if name not in {*fed, *inpainting}}


def _conditioner_places(found: Imported) -> list[str]:
    return [place for place in found.parts if place not in _MODEL_PLACES]


def _name(place: str) -> str:
    return place.removeprefix("conditioners.")


def _describe(component: Component) -> ImportedComponent:
    count = sum(each.numel() for each in component.module.parameters())
    names = sorted({str(dtype).removeprefix("torch.") for dtype in _precisions(component)})
    return ImportedComponent(component.id, count, ", ".join(names))


def _precisions(component: Component) -> list[torch.dtype]:
    """Return the precision of each weight of a component."""
    weights = component.module.parameters()
    return [each.dtype for each in weights if each.is_floating_point()]
