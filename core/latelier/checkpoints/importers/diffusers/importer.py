"""Reads diffusers folders: pipelines, and single components."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from latelier.checkpoints.importers.class_table import (
    class_label_part,
    has_null_row,
    null_row_note,
)
from latelier.checkpoints.importers.clip import (
    PROMPT_SYNTAX,
    SDXL_OUTPUTS,
    SDXL_POOLED,
    clip_pair_part,
)
from latelier.checkpoints.importers.diffusers.class_names import class_names
from latelier.checkpoints.importers.diffusers.components import (
    DENOISERS,
    FIRST_STAGES,
    FoundDenoiser,
    denoiser_part,
    first_stage_part,
    read_denoiser_config,
    read_first_stage_config,
)
from latelier.checkpoints.importers.diffusers.configs.first_stage import VQ
from latelier.checkpoints.importers.diffusers.configs.scheduler import (
    defaults_from_diffusers,
    process_from_diffusers,
    schedule_from_diffusers,
    scheduler_notes,
)
from latelier.checkpoints.importers.diffusers.folder import (
    CONFIG,
    INDEX,
    SCHEDULER,
    name_file,
    read_class_config,
    read_config,
)
from latelier.checkpoints.importers.diffusers.index import (
    DENOISER,
    FIRST_STAGE,
    INPAINTING,
    PIPELINES,
    SUPER_RESOLUTION,
    TEXT_ENCODERS,
    PipelineIndex,
)
from latelier.checkpoints.importers.diffusers.text_encoders import (
    clip_option_notes,
    clip_part,
    clip_size_notes,
    ldm_bert_part,
)
from latelier.checkpoints.importers.picture_size import PICTURE_SIZE, picture_size_part
from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.contracts.importing import Imported, ImportedPart, ImportSource


class Diffusers:
    """Folders in diffusers format: a model_index.json with the parts it names, or one component.

    Options: scale_factor, of the latents, in place of the first stage's own; null_class, whether
    the last row of a class embedding table stands for no class; pipeline, the pipeline class to
    read the folder as, in place of its own; prompt_syntax, of CLIP: "plain", "a1111" or "comfyui".
    """

    options = frozenset({"scale_factor", "null_class", "pipeline", PROMPT_SYNTAX})

    def recognizes(self, source: ImportSource, /) -> bool:
        """Return whether it is a pipeline or a component of a class that is read here.

        With the option `pipeline` any pipeline is.
        """
        for file, classes in ((INDEX, PIPELINES), (CONFIG, (*FIRST_STAGES, *DENOISERS))):
            if (source.path / file).is_file():
                is_known = read_config(source.path / file).get("_class_name") in classes
                return is_known or (file == INDEX and "pipeline" in source.options)
        return False

    def check(self, source: ImportSource, /) -> None:
        """Check the configurations; the weights need not be there yet.

        Raises:
            ModelFileError: a configuration is missing or damaged.
            InvalidConfigError: a class, a part or a parameter is not supported.
        """
        if (source.path / INDEX).is_file():
            _read_plan(source)
        elif read_class_config(source.path, (*FIRST_STAGES, *DENOISERS))["_class_name"] in (
            DENOISERS
        ):
            read_denoiser_config(source.path, {})
        else:
            read_first_stage_config(source.path)

    def read(self, source: ImportSource, /) -> Imported:
        """Return the pipeline, or the component.

        Raises:
            ModelFileError: weights are missing or damaged.
            InvalidConfigError: a class, a part or a parameter is not supported.
        """
        if (source.path / INDEX).is_file():
            return _read_pipeline(source, _read_plan(source))
        name = read_class_config(source.path, (*FIRST_STAGES, *DENOISERS))["_class_name"]
        note = (f"a component alone, {name}",)
        if name in DENOISERS:
            found = denoiser_part(source, source.path, {})
            dropped = () if found.classes is None else (_TABLE_DROPPED,)
            return Imported({"denoiser": found.part}, notes=(*note, *found.notes, *dropped))
        part = first_stage_part(source, source.path, source.options.get("scale_factor"))
        return Imported({"first_stage": part}, notes=note)


_TABLE_DROPPED = (
    "its class embedding table was left out: a denoiser alone takes the vectors of classes; a "
    "whole pipeline keeps the table"
)


@dataclass(frozen=True)
class _Plan:
    """What the configurations of a pipeline say, before a weight is read.

    Attributes:
        source: of the pipeline.
        index: its model_index.json.
        scale_factor: of the latents; None: the first stage's own.
        latents: channels of the latents.
        spatial: name -> channels of the spatial conditions.
        scheduler: the configuration of the scheduler.
        notes: human-readable.
    """

    source: ImportSource
    index: PipelineIndex
    scale_factor: float | None
    latents: int
    spatial: Mapping[str, int]
    scheduler: Mapping[str, Any]
    notes: tuple[str, ...]

    @cached_property
    def denoiser(self) -> Mapping[str, Any]:
        """The configuration of the denoiser, as diffusers has it."""
        return read_class_config(_folder(self.source, self.index, *DENOISER), DENOISERS)


def _read_plan(source: ImportSource) -> _Plan:
    index = PipelineIndex(read_config(source.path / INDEX), source.options.get("pipeline"))
    notes = [f"the pipeline is a {index.name}", *index.notes()]
    folder = _folder(source, index, *DENOISER)
    denoiser = read_denoiser_config(folder, {})
    scale_factor = source.options.get("scale_factor")
    if any(index.has(part) for part in FIRST_STAGE):
        stage = _folder(source, index, *FIRST_STAGE)
        scale_factor, reason = _scale_factor(index, stage, scale_factor)
        notes += reason
        _, fields = read_first_stage_config(stage, scale_factor)
        latents = fields.get("embed_dim") or fields.get("z_channels", 4)
    else:
        notes.append("there is no first stage: a model of pixels")
        latents = denoiser["out_channels"]
    _check_output(denoiser, latents)
    spatial = _spatial(index, denoiser["in_channels"] - latents, latents)
    notes += _check_text_encoder(source, index, denoiser)
    scheduler, reason = _read_scheduler(source, index)
    notes += reason
    return _Plan(source, index, scale_factor, latents, spatial, scheduler, tuple(notes))


def _read_scheduler(source: ImportSource, index: PipelineIndex) -> tuple[dict[str, Any], list[str]]:
    """Return the configuration of the scheduler, as the pipeline uses it, and notes on it."""
    folder = _folder(source, index, "scheduler")
    config = read_config(folder / SCHEDULER)
    config = {"_class_name": index.class_of("scheduler"), **config}
    with name_file(folder / SCHEDULER):
        process_from_diffusers(config)
        notes = []
        if index.name.startswith("StableDiffusion") and not index.is_sdxl:
            # those pipelines correct the configurations of their first schedulers
            corrected = {**config, "clip_sample": False, "steps_offset": 1}
            if schedule_from_diffusers(corrected) != schedule_from_diffusers(config):
                notes.append(f"the scheduler's steps_offset is read as 1, as the {index.name} does")
            config = corrected
        defaults_from_diffusers(config)
        return config, notes + scheduler_notes(config)


def _folder(source: ImportSource, index: PipelineIndex, *parts: str) -> Path:
    """Return the folder of the first of these parts that a pipeline has.

    Raises:
        ModelFileError: it has none of them, or the folder is missing.
    """
    for part in parts:
        if index.has(part):
            folder = source.path / part
            if not folder.is_dir():
                raise ModelFileError(f"{folder}: folder not found, though {INDEX} names it")
            return folder
    raise ModelFileError(f"{source.path}: the {index.name} has no {' or '.join(parts)}")


def _scale_factor(
    index: PipelineIndex, folder: Path, option: float | None
) -> tuple[float | None, list[str]]:
    """Return the factor of the latents (None: the first stage's own), and notes on it."""
    if option is not None:
        return option, []
    if index.name == SUPER_RESOLUTION:
        return 1.0, ["latents are not scaled, as this pipeline does not"]
    config = read_class_config(folder, FIRST_STAGES)
    if config["_class_name"] == VQ and "scaling_factor" not in config:
        return None, ["latents are not scaled: the first stage has no scaling_factor"]
    return None, []


def _check_output(denoiser: Mapping[str, Any], latents: int) -> None:
    found, taken = denoiser["out_channels"], denoiser["in_channels"]
    if found == latents and found != 2 * taken:
        return
    hint = " (a learned variance, which only transformers may have here)"
    raise InvalidConfigError(
        f"the denoiser has out_channels: {found}; expected {min(latents, taken)}"
        + (hint if found == 2 * taken else "")
    )


def _spatial(index: PipelineIndex, extra: int, latents: int) -> dict[str, int]:
    """Return the condition that the input channels beyond the latents are for."""
    if extra == 0:
        return {}
    if index.name == SUPER_RESOLUTION:
        return {"image": extra}
    if index.name in INPAINTING and extra == latents + 1:
        return {"mask": extra}
    raise InvalidConfigError(
        f"the {index.name} has {extra} input channels beyond its {latents} latents; supported are "
        f"{SUPER_RESOLUTION}, and {INPAINTING[0]} with {latents + 1}"
    )


def _check_text_encoder(
    source: ImportSource, index: PipelineIndex, denoiser: Mapping[str, Any]
) -> list[str]:
    """Check that what the denoiser attends to is there, and can be read; return notes on it."""
    width = denoiser.get("context_dim")
    encoders = [part for part in TEXT_ENCODERS if index.has(part)]
    if width is not None and not encoders:
        raise InvalidConfigError(
            f"the denoiser attends to a condition of width {width}, and the {index.name} has no "
            f"{' or '.join(TEXT_ENCODERS)} that gives it"
        )
    notes = []
    for part in encoders:
        folder, tokenizer = _text_folders(source, index, part)
        notes += [] if part == "bert" else clip_option_notes(folder, tokenizer)
    return list(dict.fromkeys(notes))


def _text_folders(source: ImportSource, index: PipelineIndex, part: str) -> tuple[Path, Path]:
    """Return the folders of a text encoder and of its tokenizer."""
    tokenizer = _folder(source, index, TEXT_ENCODERS[part])
    return _folder(source, index, part), tokenizer


def _read_pipeline(source: ImportSource, plan: _Plan) -> Imported:
    if any(plan.index.has(part) for part in FIRST_STAGE):
        folder = _folder(source, plan.index, *FIRST_STAGE)
        first_stage = first_stage_part(source, folder, plan.scale_factor)
    else:
        channels = plan.denoiser["out_channels"]
        first_stage = ImportedPart("latelier/identity", {"channels": channels})
    denoiser = denoiser_part(source, _folder(source, plan.index, *DENOISER), plan.spatial)
    conditioners, notes = _read_conditioners(plan, denoiser)
    return Imported(
        {"first_stage": first_stage, "denoiser": denoiser.part, **conditioners},
        process_from_diffusers(plan.scheduler),
        _defaults(plan, first_stage, conditioners),
        {"prompt": "text"} if "conditioners.text" in conditioners else {},
        (*plan.notes, *denoiser.notes, *notes),
    )


def _read_conditioners(
    plan: _Plan, denoiser: FoundDenoiser
) -> tuple[dict[str, ImportedPart], list[str]]:
    """Return the conditioners by place, and notes on them."""
    found: dict[str, ImportedPart] = {}
    notes: list[str] = []
    if "image" in plan.spatial:
        found["conditioners.image"] = ImportedPart("latelier/image", {})
    if "mask" in plan.spatial:
        fields = {"latent_channels": plan.latents}
        found["conditioners.mask"] = ImportedPart("latelier/mask", fields)
    if denoiser.classes is not None:
        rows = len(denoiser.classes)
        option = plan.source.options.get("null_class", denoiser.null_class)
        has_null = has_null_row(rows, option)
        notes.append(null_row_note(rows, has_null))
        names = class_names(plan.index.labels(), rows - has_null)
        found["conditioners.class_label"] = class_label_part(denoiser.classes, has_null, names)
    if PICTURE_SIZE in denoiser.part.config.get("vectors", {}):
        width = plan.denoiser["addition_time_embed_dim"]
        count = denoiser.part.config["vectors"][PICTURE_SIZE] // width
        found[f"conditioners.{PICTURE_SIZE}"] = picture_size_part(count, width)
    if plan.index.has("bert"):
        folders = _text_folders(plan.source, plan.index, "bert")
        found["conditioners.text"] = ldm_bert_part(plan.source, *folders)
    elif any(plan.index.has(part) for part in TEXT_ENCODERS):
        found["conditioners.text"], more = _read_clip(plan)
        notes += more
    return found, notes


def _read_clip(plan: _Plan) -> tuple[ImportedPart, list[str]]:
    """Return the CLIP text encoder or, of Stable Diffusion XL, the two; and notes on them."""
    outputs: dict[str, Mapping[str, Any]] = {"text_encoder": {"layer": "last"}}
    if plan.index.is_sdxl:
        outputs = {"text_encoder": SDXL_OUTPUTS, "text_encoder_2": SDXL_POOLED}
    found, notes = [], []
    for part, fields in outputs.items():
        if plan.index.has(part):
            folders = _text_folders(plan.source, plan.index, part)
            taken = {**fields, "null": plan.index.null_text}
            found.append(clip_part(plan.source, *folders, taken))
            notes += clip_size_notes(*folders, found[-1])
    return (clip_pair_part(*found) if len(found) == 2 else found[0]), notes


def _defaults(
    plan: _Plan, first_stage: ImportedPart, conditioners: Mapping[str, ImportedPart]
) -> dict[str, Any]:
    side = plan.denoiser.get("sample_size") or 64
    side = side if isinstance(side, int) else side[-1]
    levels = len(first_stage.config.get("ch_mult", (1,)))
    return {
        "size": side * 2 ** (levels - 1),
        "guidance": 5.0 if plan.index.is_sdxl else _guidance_scale(conditioners),
        **defaults_from_diffusers(plan.scheduler),
    }


def _guidance_scale(conditioners: Mapping[str, ImportedPart]) -> float:
    if "conditioners.text" in conditioners:
        return 7.5
    classes = conditioners.get("conditioners.class_label")
    return 4.0 if classes and classes.config["null_class"] else 1.0
