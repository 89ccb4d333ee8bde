"""A model, or a component, of ours becomes a folder that other programs load."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from latelier._version import __version__
from latelier.checkpoints.component import (
    Component,
    StoredAlone,
    load_component,
)
from latelier.checkpoints.importers.clip import CLIP_TEXT
from latelier.checkpoints.importers.diffusers.configs.scheduler import scheduler_to_diffusers
from latelier.checkpoints.importers.diffusers.configs.unet import CLASSES
from latelier.checkpoints.importers.diffusers.export.clip_text import export_clip_text
from latelier.checkpoints.importers.diffusers.export.component import export_component
from latelier.checkpoints.importers.diffusers.folder import CONFIG, INDEX, SCHEDULER
from latelier.checkpoints.io.json_files import read_json
from latelier.checkpoints.manifests import COMPONENT_FILE
from latelier.conversion.destination import check_destination
from latelier.io.atomic import atomic_folder, write_json
from latelier.io.user_folders import expand_home
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.pipeline.loading import load
from latelier.pipeline.pipeline import Pipeline

_LIKE_DIFFUSERS = "0.42.1"
"""The version whose folders these are like; diffusers mends those of some old ones on loading."""

_ALONE_SIDE = 64
"""Side of the latents that is written for a UNet alone; diffusers takes any."""


_EXPORTED = (INDEX, CONFIG, f"unet/{CONFIG}")


@dataclass(frozen=True)
class ExportReport:
    """What an export made. components: folder -> class in the other program; notes: for people."""

    folder: Path
    components: Mapping[str, str]
    notes: tuple[str, ...]


def export_model(
    source: str | Path,
    destination: str | Path,
    *,
    force: bool = False,
    tell: Callable[[str], None] | None = None,
    atelier: Atelier | None = None,
) -> ExportReport:
    """Write a model as diffusers loads it.

    Args:
        source: a model's name or folder, or the folder of a component.
        destination: the folder to make; it is whole or not there.
        force: whether a folder that is there may be replaced: one that holds a model of diffusers,
            or nothing.
        tell: is told what is done, a few words at a time.
        atelier: where components are looked up; the default one if None.

    Raises:
        UnknownNameError, ModelFileError: there is no such model, or it is damaged.
        CompatibilityError: the format has no equivalent of the first stage, the denoiser or the
            process.
        InvalidInputError: the destination is there already, or holds something else.
    """
    atelier = atelier or default_atelier()
    folder = expand_home(destination)
    check_destination(folder, force=force, known=_EXPORTED, what="model of diffusers")
    said = tell or (lambda _: None)
    said("reading the model")
    alone = expand_home(source) / COMPONENT_FILE
    if alone.is_file():
        component = load_component(alone.parent, read_json(alone, StoredAlone).kind, atelier)
        said("writing")
        with atomic_folder(folder) as beside:
            name = export_component(component, beside, _ALONE_SIDE)
        return ExportReport(folder, {".": name}, ())
    pipeline = load(source, device="cpu", dtype="float32", atelier=atelier)
    said("writing")
    with atomic_folder(folder) as beside:
        components, notes = _export_pipeline(pipeline, beside)
    return ExportReport(folder, components, notes)


def _export_pipeline(pipeline: Pipeline, folder: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    first_stage: Any = pipeline.first_stage.config
    side = pipeline.defaults.size[0] // first_stage.downsampling
    scheduler = scheduler_to_diffusers(pipeline.process)
    write_json(folder / "scheduler" / SCHEDULER, scheduler)
    components = {"scheduler": str(scheduler["_class_name"])}
    classes = _classes(pipeline)
    components["unet"] = export_component(
        pipeline.denoiser_component, folder / "unet", side, classes
    )
    index = _index(pipeline)
    stage = "vae" if index is None else _FIRST_STAGE[index]
    if pipeline.first_stage_component.id != "latelier/identity":
        component = pipeline.first_stage_component
        components[stage] = export_component(component, folder / stage, side)
    taken = {CLASSES} if classes is not None else set()
    if index in _WITH_CLIP:
        (text,) = (name for name, each in _conditioners(pipeline) if each.id == CLIP_TEXT)
        components |= export_clip_text(pipeline.conditioner_components[text], folder)
        taken.add(text)
    notes = [
        f"the conditioner '{name}' ({each.id}) has no equivalent there and was left out"
        for name, each in _conditioners(pipeline)
        if each.module.state_dict() and name not in taken
    ]
    notes += [f"the adapter '{name}' was left out" for name in pipeline.adapters]
    if index is None:
        notes.append(f"no pipeline there is made of these parts: there is no {INDEX}")
    else:
        named: dict[str, Any] = {
            name: ["transformers" if "CLIP" in each else "diffusers", each]
            for name, each in sorted(components.items())
        }
        if index in _WITH_CLIP:
            named |= {name: [None, None] for name in ("safety_checker", "feature_extractor")}
            named["requires_safety_checker"] = False
        versions = {"_diffusers_version": _LIKE_DIFFUSERS, "_latelier_version": __version__}
        write_json(folder / INDEX, {"_class_name": index, **versions, **named})
    return components, tuple(notes)


_STABLE_DIFFUSION = "StableDiffusionPipeline"

_INPAINTING = "StableDiffusionInpaintPipeline"

_WITH_CLIP = (_STABLE_DIFFUSION, _INPAINTING)

_FIRST_STAGE = {
    _STABLE_DIFFUSION: "vae",
    _INPAINTING: "vae",
    "LDMPipeline": "vqvae",
    "LDMSuperResolutionPipeline": "vqvae",
    "DDIMPipeline": "",
}
"""Pipeline there -> the name under which it has its first stage."""


def _conditioners(pipeline: Pipeline) -> list[tuple[str, Component]]:
    return list(pipeline.conditioner_components.items())


def _classes(pipeline: Pipeline) -> Tensor | None:
    """Return the table of classes whose rows are given to the denoiser as vectors, if it has one.

    diffusers keeps it inside the UNet.
    """
    component = pipeline.conditioner_components.get(CLASSES)
    told = pipeline.denoiser.config.inputs().vectors
    if component is None or component.id != "latelier/class_label" or CLASSES not in told:
        return None
    table: Tensor = component.module.state_dict()["embedding.weight"]
    return table


def _index(pipeline: Pipeline) -> str | None:
    """Return the pipeline of diffusers that is made of these parts, or None."""
    by_id = {each.id: each for _, each in _conditioners(pipeline)}
    conditioners = set(by_id)
    first_stage = pipeline.first_stage_component
    if not conditioners:
        return "DDIMPipeline" if first_stage.id == "latelier/identity" else "LDMPipeline"
    scale = getattr(first_stage.config, "scale_factor", None)
    if conditioners == {CLIP_TEXT} and first_stage.id == "latelier/autoencoder_kl":
        return _STABLE_DIFFUSION
    if conditioners == {CLIP_TEXT, _MASK} and first_stage.id == "latelier/autoencoder_kl":
        return _INPAINTING if _masks_alike(by_id[_MASK].config) else None
    if conditioners == {"latelier/image"} and scale == 1:
        return "LDMSuperResolutionPipeline"
    return None


_MASK = "latelier/mask"


def _masks_alike(config: Any) -> bool:
    """Return whether masks are given to the denoiser as they are there."""
    said = config.mask_first, config.mask_values, config.hole_value
    return bool(said == (True, (0.0, 1.0), 0.0))
