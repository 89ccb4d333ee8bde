"""Reads folders of diffusers: pipelines, and single components."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from latelier.checkpoints.importers.class_table import (
    class_vectors,
    has_null_row,
    null_row_note,
)
from latelier.checkpoints.importers.diffusers.class_names import class_names
from latelier.checkpoints.importers.diffusers.components import (
    DENOISERS,
    FIRST_STAGES,
    FoundDenoiser,
    class_config,
    denoiser_part,
    first_stage_part,
)
from latelier.checkpoints.importers.diffusers.configs.first_stage import VQ
from latelier.checkpoints.importers.diffusers.configs.scheduler import (
    process_from_diffusers,
    schedule_from_diffusers,
)
from latelier.checkpoints.importers.diffusers.folder import (
    CONFIG,
    INDEX,
    SCHEDULER,
    read_json_object,
)
from latelier.checkpoints.importers.diffusers.text_encoders import clip_part, ldm_bert_part
from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.contracts.importing import Imported, ImportedPart, ImportSource

_SUPER_RESOLUTION = "LDMSuperResolutionPipeline"
_INPAINTING = "StableDiffusionInpaintPipeline"


class Diffusers:
    """Folders of diffusers: a model_index.json and what it names, or one component.

    Options: scale_factor, of the latents, in place of the first stage's own; null_class, whether
    the last row of a table of classes stands for no class.
    """

    options = frozenset({"scale_factor", "null_class"})

    def recognises(self, source: ImportSource, /) -> bool:
        """Tell whether there is a model_index.json, or the config.json of a class."""
        if (source.path / INDEX).is_file():
            return True
        if not (source.path / CONFIG).is_file():
            return False
        return "_class_name" in read_json_object(source.path / CONFIG)

    def read(self, source: ImportSource, /) -> Imported:
        """Return the pipeline or the component.

        Raises:
            ModelFileError: weights are missing or damaged.
            InvalidConfigError: a class or a parameter that there is not here.
        """
        if (source.path / INDEX).is_file():
            return _Pipeline(source).imported()
        config = class_config(source.path, (*FIRST_STAGES, *DENOISERS))
        name = config["_class_name"]
        note = (f"a component alone, {name}",)
        if name in DENOISERS:
            found = denoiser_part(source, source.path, {})
            left = () if found.classes is None else (_LEFT_OUT,)
            return Imported({"denoiser": found.part}, notes=(*note, *found.notes, *left))
        part = first_stage_part(source, source.path, source.options.get("scale_factor"))
        return Imported({"first_stage": part}, notes=note)


_LEFT_OUT = (
    "its table of classes was left out: a denoiser alone is given the vectors of classes; a whole "
    "pipeline keeps it"
)


class _Pipeline:
    """One pipeline: what its model_index.json names."""

    def __init__(self, source: ImportSource) -> None:
        self._source = source
        self._index = read_json_object(source.path / INDEX)
        self._name = str(self._index.get("_class_name", ""))
        self._notes = [f"the pipeline is a {self._name}"]

    def imported(self) -> Imported:
        """Return its parts, its process and its defaults."""
        folder = self._folder("unet", "transformer")
        config = class_config(folder, DENOISERS)
        first_stage = self._first_stage(config)
        latents = first_stage.config.get("embed_dim") or first_stage.config.get("z_channels")
        latents = latents or first_stage.config["channels"]
        spatial = self._spatial(config["in_channels"] - latents, latents)
        denoiser = denoiser_part(self._source, folder, spatial)
        self._notes.extend(denoiser.notes)
        conditioners = self._conditioners(spatial, latents, denoiser)
        scheduler = read_json_object(self._folder("scheduler") / SCHEDULER)
        return Imported(
            {"first_stage": first_stage, "denoiser": denoiser.part, **conditioners},
            process_from_diffusers(scheduler),
            self._defaults(first_stage, config, scheduler, conditioners),
            {"prompt": "text"} if "conditioners.text" in conditioners else {},
            tuple(self._notes),
        )

    def _folder(self, *names: str) -> Path:
        """Return the folder of the first of its components by these names.

        Raises:
            ModelFileError: it has none of them.
        """
        for name in names:
            if (self._source.path / name).is_dir() and self._index.get(name):
                return self._source.path / name
        raise ModelFileError(f"{self._source.path}: the {self._name} has no {' or '.join(names)}")

    def _has(self, name: str) -> bool:
        entry = self._index.get(name)
        return isinstance(entry, list) and bool(entry[0]) and (self._source.path / name).is_dir()

    def _first_stage(self, denoiser: Mapping[str, Any]) -> ImportedPart:
        if not self._has("vae") and not self._has("vqvae"):
            self._notes.append("there is no first stage: a model of pixels")
            return ImportedPart("latelier/identity", {"channels": denoiser["out_channels"]})
        scale = self._source.options.get("scale_factor")
        if scale is None and self._name == _SUPER_RESOLUTION:
            self._notes.append("latents are not scaled, as this pipeline does not")
            scale = 1.0
        folder = self._folder("vae", "vqvae")
        config = class_config(folder, FIRST_STAGES)
        if scale is None and config["_class_name"] == VQ and "scaling_factor" not in config:
            self._notes.append("latents are not scaled: the first stage says nothing of it")
        return first_stage_part(self._source, folder, scale)

    def _spatial(self, extra: int, latents: int) -> dict[str, int]:
        """Return the condition that the input channels beyond the latents are for."""
        if extra == 0:
            return {}
        if self._name == _SUPER_RESOLUTION:
            return {"image": extra}
        if self._name == _INPAINTING and extra == latents + 1:
            return {"mask": extra}
        raise InvalidConfigError(
            f"the {self._name} has {extra} input channels beyond its {latents} latents; known are "
            f"{_SUPER_RESOLUTION}, and {_INPAINTING} with {latents + 1}"
        )

    def _conditioners(
        self, spatial: Mapping[str, int], latents: int, denoiser: FoundDenoiser
    ) -> dict[str, ImportedPart]:
        found = {}
        if "image" in spatial:
            found["conditioners.image"] = ImportedPart("latelier/image", {})
        if "mask" in spatial:
            found["conditioners.mask"] = ImportedPart("latelier/mask", {"latent_channels": latents})
        if denoiser.classes is not None:
            found["conditioners.class_label"] = self._classes(denoiser.classes, denoiser.null_class)
        if self._has("bert"):
            found["conditioners.text"] = ldm_bert_part(
                self._source, self._folder("bert"), self._folder("tokenizer")
            )
        if self._has("text_encoder"):
            found["conditioners.text"] = clip_part(
                self._source, self._folder("text_encoder"), self._folder("tokenizer")
            )
        return found

    def _classes(self, table: Tensor, null_class: bool | None) -> ImportedPart:
        has_null = has_null_row(len(table), self._source.options.get("null_class", null_class))
        self._notes.append(null_row_note(len(table), has_null))
        names = class_names(self._index.get("id2label"), len(table) - has_null)
        return class_vectors(table, has_null, names)

    def _defaults(
        self,
        first_stage: ImportedPart,
        denoiser: Mapping[str, Any],
        scheduler: Mapping[str, Any],
        conditioners: Mapping[str, ImportedPart],
    ) -> dict[str, Any]:
        side = denoiser.get("sample_size") or 64
        side = side if isinstance(side, int) else side[-1]
        levels = len(first_stage.config.get("ch_mult", (1,)))
        return {
            "size": side * 2 ** (levels - 1),
            "steps": 50,
            "sampler": "ddim",
            "schedule": schedule_from_diffusers(scheduler),
            "guidance": _guidance(conditioners),
        }


def _guidance(conditioners: Mapping[str, ImportedPart]) -> float:
    if "conditioners.text" in conditioners:
        return 7.5
    classes = conditioners.get("conditioners.class_label")
    return 4.0 if classes and classes.config["null_class"] else 1.0
