"""Reads folders of diffusers: pipelines, and single components."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latelier.checkpoints.importers.diffusers.folder import (
    CONFIG,
    INDEX,
    SCHEDULER,
    read_json_object,
)
from latelier.checkpoints.importers.diffusers.parts import (
    FIRST_STAGES,
    UNETS,
    class_config,
    first_stage_part,
    unet_part,
)
from latelier.checkpoints.importers.diffusers.scheduler import (
    process_from_diffusers,
    schedule_from_diffusers,
)
from latelier.checkpoints.importers.diffusers.text_encoders import clip_part, ldm_bert_part
from latelier.kernel.contracts import Imported, ImportedPart, ImportSource
from latelier.kernel.errors import InvalidConfigError, ModelFileError

_SUPER_RESOLUTION = "LDMSuperResolutionPipeline"


class Diffusers:
    """Folders of diffusers: a model_index.json and what it names, or one component.

    Options: scale_factor, of the latents, in place of the first stage's own.
    """

    options = frozenset({"scale_factor"})

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
        config = class_config(source.path, (*FIRST_STAGES, *UNETS))
        name = config["_class_name"]
        note = (f"a component alone, {name}",)
        if name in UNETS:
            return Imported({"denoiser": unet_part(source, source.path, {})}, notes=note)
        part = first_stage_part(source, source.path, source.options.get("scale_factor"))
        return Imported({"first_stage": part}, notes=note)


class _Pipeline:
    """One pipeline: what its model_index.json names."""

    def __init__(self, source: ImportSource) -> None:
        self._source = source
        self._index = read_json_object(source.path / INDEX)
        self._name = str(self._index.get("_class_name", ""))
        self._notes = [f"the pipeline is a {self._name}"]

    def imported(self) -> Imported:
        """Return its parts, its process and its defaults."""
        unet_config = class_config(self._folder("unet"), UNETS)
        first_stage = self._first_stage(unet_config)
        latents = first_stage.config.get("embed_dim") or first_stage.config.get("z_channels")
        latents = latents or first_stage.config["channels"]
        spatial = self._spatial(unet_config["in_channels"] - latents)
        denoiser = unet_part(self._source, self._folder("unet"), spatial)
        conditioners = self._conditioners(spatial)
        scheduler = read_json_object(self._folder("scheduler") / SCHEDULER)
        return Imported(
            {"first_stage": first_stage, "denoiser": denoiser, **conditioners},
            process_from_diffusers(scheduler),
            self._defaults(first_stage, unet_config, scheduler, conditioners),
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

    def _first_stage(self, unet: Mapping[str, Any]) -> ImportedPart:
        if not self._has("vae") and not self._has("vqvae"):
            self._notes.append("there is no first stage: a model of pixels")
            return ImportedPart("latelier/identity", {"channels": unet["out_channels"]})
        scale = self._source.options.get("scale_factor")
        if scale is None and self._name == _SUPER_RESOLUTION:
            self._notes.append("latents are not scaled, as this pipeline does not")
            scale = 1.0
        return first_stage_part(self._source, self._folder("vae", "vqvae"), scale)

    def _spatial(self, extra: int) -> dict[str, int]:
        """Return the condition that the input channels beyond the latents are for."""
        if extra == 0:
            return {}
        if self._name == _SUPER_RESOLUTION:
            return {"image": extra}
        raise InvalidConfigError(
            f"the {self._name} has {extra} input channels beyond its latents; of such pipelines "
            f"only these are known: {_SUPER_RESOLUTION}"
        )

    def _conditioners(self, spatial: Mapping[str, int]) -> dict[str, ImportedPart]:
        found = {}
        if "image" in spatial:
            found["conditioners.image"] = ImportedPart("latelier/image", {})
        if self._has("bert"):
            found["conditioners.text"] = ldm_bert_part(
                self._source, self._folder("bert"), self._folder("tokenizer")
            )
        if self._has("text_encoder"):
            found["conditioners.text"] = clip_part(
                self._source, self._folder("text_encoder"), self._folder("tokenizer")
            )
        return found

    def _defaults(
        self,
        first_stage: ImportedPart,
        unet: Mapping[str, Any],
        scheduler: Mapping[str, Any],
        conditioners: Mapping[str, ImportedPart],
    ) -> dict[str, Any]:
        side = unet.get("sample_size") or 64
        side = side if isinstance(side, int) else side[-1]
        levels = len(first_stage.config.get("ch_mult", (1,)))
        return {
            "size": side * 2 ** (levels - 1),
            "steps": 50,
            "sampler": "ddim",
            "schedule": schedule_from_diffusers(scheduler),
            "guidance": 7.5 if "conditioners.text" in conditioners else 1.0,
        }
