"""From a model or component of latelier to a folder that diffusers loads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from latelier._version import __version__
from latelier.checkpoints.component import Component, load_component
from latelier.checkpoints.importers.clip import CLIP_TEXT
from latelier.checkpoints.importers.diffusers.configs.scheduler import scheduler_to_diffusers
from latelier.checkpoints.importers.diffusers.configs.unet import CLASSES
from latelier.checkpoints.importers.diffusers.export.clip_text import export_clip_text
from latelier.checkpoints.importers.diffusers.export.component import export_component
from latelier.checkpoints.importers.diffusers.folder import CONFIG, INDEX, SCHEDULER
from latelier.checkpoints.io.json_files import read_json
from latelier.checkpoints.manifests import COMPONENT_FILE, StandaloneComponent
from latelier.conversion.destination import (
    check_destination,
    check_source_outside,
    report_read_errors,
    write_folder,
)
from latelier.io.atomic import write_json
from latelier.io.user_folders import expand_home
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.pipeline.loading import load
from latelier.pipeline.pipeline import Pipeline

_DIFFUSERS_VERSION = "0.42.1"
"""The version whose folders these are like. diffusers converts those of some old versions."""

_DEFAULT_SAMPLE_SIZE = 64
"""Side of the latents that is written for a UNet alone; diffusers takes any."""

_EXPORTED_FILES = (INDEX, CONFIG, f"unet/{CONFIG}")
_EXPORTED = "model of diffusers"

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
"""Pipeline of diffusers -> the name of its first stage."""

_MASK = "latelier/mask"


@dataclass(frozen=True)
class ExportReport:
    """The result of an export.

    Attributes:
        folder: of the exported model.
        components: folder -> class in diffusers.
        notes: human-readable.
    """

    folder: Path
    components: Mapping[str, str]
    notes: tuple[str, ...]


def export_model(
    source: str | Path,
    destination: str | Path,
    *,
    force: bool = False,
    on_stage: Callable[[str], None] | None = None,
    atelier: Atelier | None = None,
) -> ExportReport:
    """Write a model as diffusers loads it.

    Args:
        source: a model's name or folder, or the folder of a component.
        destination: the folder to make. It appears when it is complete.
        force: whether an existing folder may be replaced. It must hold a model of diffusers, or
            nothing.
        on_stage: takes what is done now, in a few words.
        atelier: where components are registered; the default one if None.

    Raises:
        UnknownNameError, ModelFileError: there is no such model, or it is damaged.
        CompatibilityError: diffusers has no equivalent of the first stage, the denoiser or the
            process.
        InvalidInputError: the destination exists, holds something else or the source, or cannot be
            written.
    """
    atelier = atelier or default_atelier()
    folder = expand_home(destination)
    check_destination(folder, force=force, known=_EXPORTED_FILES, what=_EXPORTED)
    check_source_outside(expand_home(source), folder)
    on_stage = on_stage or (lambda _: None)
    on_stage("reading the model")
    with report_read_errors(str(source)):
        found = _load(source, atelier)
    on_stage("writing")
    with write_folder(folder, force=force, known=_EXPORTED_FILES, what=_EXPORTED) as temporary:
        if isinstance(found, Component):
            class_name = export_component(found, temporary, _DEFAULT_SAMPLE_SIZE)
            return ExportReport(folder, {".": class_name}, ())
        components, notes = _export_pipeline(found, temporary)
    return ExportReport(folder, components, notes)


def _load(source: str | Path, atelier: Atelier) -> Component | Pipeline:
    path = expand_home(source) / COMPONENT_FILE
    if path.is_file():
        return load_component(path.parent, read_json(path, StandaloneComponent).kind, atelier)
    return load(source, device="cpu", dtype="float32", atelier=atelier)


def _export_pipeline(pipeline: Pipeline, folder: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """Write the components and the index; return folder -> class, and notes."""
    first_stage: Any = pipeline.first_stage.config
    side = pipeline.defaults.size[0] // first_stage.downsampling
    scheduler = scheduler_to_diffusers(pipeline.process)
    write_json(folder / "scheduler" / SCHEDULER, scheduler)
    components = {"scheduler": str(scheduler["_class_name"])}
    classes = _class_table(pipeline)
    components["unet"] = export_component(
        pipeline.denoiser_component, folder / "unet", side, classes
    )
    name = _pipeline_class(pipeline)
    stage = "vae" if name is None else _FIRST_STAGE[name]
    if pipeline.first_stage_component.id != "latelier/identity":
        component = pipeline.first_stage_component
        components[stage] = export_component(component, folder / stage, side)
    exported = {CLASSES} if classes is not None else set()
    if name in _WITH_CLIP:
        conditioners = pipeline.conditioner_components
        text = next(key for key, each in conditioners.items() if each.id == CLIP_TEXT)
        components |= export_clip_text(conditioners[text], folder)
        exported.add(text)
    notes = _notes_on_dropped(pipeline, exported)
    if name is None:
        notes.append(f"diffusers has no pipeline of these parts: there is no {INDEX}")
    else:
        write_json(folder / INDEX, _index(name, components))
    return components, tuple(notes)


def _notes_on_dropped(pipeline: Pipeline, exported: set[str]) -> list[str]:
    notes = [
        f"the conditioner '{name}' ({each.id}) has no equivalent in diffusers and was left out"
        for name, each in pipeline.conditioner_components.items()
        if each.module.state_dict() and name not in exported
    ]
    if pipeline.first_stage.config.known_inputs:
        notes.append(
            "the conditional decoder has no equivalent in diffusers and was left out: pictures "
            "lack what inputs know of their pixels"
        )
    return notes + [
        f"the adapter '{name}' was "
        + ("merged into the weights" if each.changes_weights else "left out")
        for name, each in pipeline.adapters.items()
    ]


def _index(name: str, components: Mapping[str, str]) -> dict[str, Any]:
    """Return the content of a model_index.json."""
    index: dict[str, Any] = {
        "_class_name": name,
        "_diffusers_version": _DIFFUSERS_VERSION,
        "_latelier_version": __version__,
    }
    for part, class_name in sorted(components.items()):
        library = "transformers" if "CLIP" in class_name else "diffusers"
        index[part] = [library, class_name]
    if name in _WITH_CLIP:
        index |= {part: [None, None] for part in ("safety_checker", "feature_extractor")}
        index["requires_safety_checker"] = False
    return index


def _class_table(pipeline: Pipeline) -> Tensor | None:
    """Return the class embedding table (classes, width) that the denoiser takes, if there is one.

    diffusers keeps it inside the UNet.
    """
    component = pipeline.conditioner_components.get(CLASSES)
    vectors = pipeline.denoiser.config.inputs().vectors
    if component is None or component.id != "latelier/class_label" or CLASSES not in vectors:
        return None
    return component.stored.state_dict()["embedding.weight"]


def _pipeline_class(pipeline: Pipeline) -> str | None:
    """Return the class in diffusers of a pipeline of these parts, or None."""
    by_id = {each.id: each for each in pipeline.conditioner_components.values()}
    first_stage = pipeline.first_stage_component
    scale = getattr(first_stage.config, "scale_factor", None)
    if getattr(first_stage.config, "shift_factor", 0) or isinstance(scale, tuple):
        return None  # these pipelines ignore a shift, and factors of channels
    if not by_id:
        return "DDIMPipeline" if first_stage.id == "latelier/identity" else "LDMPipeline"
    if by_id.keys() == {CLIP_TEXT} and first_stage.id == "latelier/autoencoder_kl":
        return _STABLE_DIFFUSION
    if by_id.keys() == {CLIP_TEXT, _MASK} and first_stage.id == "latelier/autoencoder_kl":
        return _INPAINTING if _has_diffusers_mask(by_id[_MASK].config) else None
    if by_id.keys() == {"latelier/image"} and scale == 1:
        return "LDMSuperResolutionPipeline"
    return None


def _has_diffusers_mask(config: Any) -> bool:
    """Return whether the denoiser takes masks as those of diffusers do: 0 or 1, black holes."""
    return bool(config.mask_first and config.mask_values == (0.0, 1.0) and config.hole_value == 0.0)
