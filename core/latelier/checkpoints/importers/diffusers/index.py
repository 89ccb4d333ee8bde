"""The model_index.json of a pipeline: which class it is, and which of its parts are read."""

from collections.abc import Mapping
from typing import Any, Literal

from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.contracts.messages import suggestion

DENOISER = ("unet", "transformer")
FIRST_STAGE = ("vae", "vqvae")
TEXT_ENCODERS = {"text_encoder": "tokenizer", "text_encoder_2": "tokenizer_2", "bert": "tokenizer"}
"""Text encoder -> its tokenizer."""

WITH_WEIGHTS = (*DENOISER, *FIRST_STAGE, *TEXT_ENCODERS)
"""Parts whose weights are read."""

WITHOUT_WEIGHTS = ("scheduler", "tokenizer")
"""Beginnings of parts that are configurations and vocabularies alone."""

_OF_SDXL = ("text_encoder_2", "tokenizer_2")
_READ = (*WITH_WEIGHTS, "scheduler", "tokenizer", "tokenizer_2")

_IGNORED = {
    "safety_checker": "it judges finished pictures",
    "feature_extractor": "it prepares pictures for a part that is not imported",
    "image_encoder": "it is for adapters, which are not imported",
    "controlnet": "it is an adapter, which is imported by itself",
    "adapter": "it is an adapter, which is imported by itself",
    "motion_adapter": "it is for videos",
    "watermark": "it marks finished pictures",
    "watermarker": "it marks finished pictures",
    "image_processor": "it converts pictures",
    "inverse_scheduler": "inversion is a sampler here",
    "caption_generator": "it describes pictures",
    "caption_processor": "it describes pictures",
}
"""Part that the pipeline works without -> why it is not imported."""

SUPER_RESOLUTION = "LDMSuperResolutionPipeline"
_SDXL = "StableDiffusionXL"

INPAINTING = (
    "StableDiffusionInpaintPipeline",
    "StableDiffusionControlNetInpaintPipeline",
    f"{_SDXL}InpaintPipeline",
    f"{_SDXL}ControlNetInpaintPipeline",
)
PIPELINES = (
    SUPER_RESOLUTION,
    *INPAINTING,
    "CycleDiffusionPipeline",
    "DDIMPipeline",
    "DDPMPipeline",
    "DiTPipeline",
    "LDMPipeline",
    "LDMTextToImagePipeline",
    "PNDMPipeline",
    "RePaintPipeline",
    "StableDiffusionAdapterPipeline",
    "StableDiffusionAttendAndExcitePipeline",
    "StableDiffusionControlNetImg2ImgPipeline",
    "StableDiffusionControlNetPipeline",
    "StableDiffusionDiffEditPipeline",
    "StableDiffusionImg2ImgPipeline",
    "StableDiffusionModelEditingPipeline",
    "StableDiffusionPAGPipeline",
    "StableDiffusionPanoramaPipeline",
    "StableDiffusionParadigmsPipeline",
    "StableDiffusionPipeline",
    "StableDiffusionPipelineSafe",
    "StableDiffusionPix2PixZeroPipeline",
    "StableDiffusionSAGPipeline",
    f"{_SDXL}AdapterPipeline",
    f"{_SDXL}ControlNetImg2ImgPipeline",
    f"{_SDXL}ControlNetPipeline",
    f"{_SDXL}Img2ImgPipeline",
    f"{_SDXL}PAGPipeline",
    f"{_SDXL}Pipeline",
)
"""Pipelines that sample a model as latelier does. Others may give its parts another meaning."""


class PipelineIndex:
    """The content of a model_index.json.

    Attributes:
        name: of the pipeline's class, or of the class that replaces it.
    """

    def __init__(self, values: Mapping[str, Any], read_as: Any = None) -> None:
        self._values = values
        found = str(values.get("_class_name", ""))
        self.name = str(found if read_as is None else read_as)
        if self.name not in PIPELINES:
            raise InvalidConfigError(
                f"the pipeline '{self.name}' is not supported; if it samples like another one, "
                f"--option pipeline=NAME reads it as that. {suggestion(self.name, PIPELINES)}"
            )
        read = _READ if self.is_sdxl else [part for part in _READ if part not in _OF_SDXL]
        unknown = [part for part in self._parts() if part not in (*read, *_IGNORED)]
        if unknown:
            part = unknown[0]
            raise InvalidConfigError(
                f"the {self.name} has a part '{part}' ({self.class_of(part)}), which is not "
                f"supported. {suggestion(part, read)}"
            )

    @property
    def is_sdxl(self) -> bool:
        """Whether it samples Stable Diffusion XL."""
        return self.name.startswith(_SDXL)

    def has(self, part: str) -> bool:
        """Return whether the pipeline has a part."""
        return part in self._parts()

    def class_of(self, part: str) -> str:
        """Return the class of a part."""
        return str(self._parts()[part])

    def notes(self) -> list[str]:
        """Return a note for each part that is not imported."""
        return [
            f"{part} ({self.class_of(part)}) was not imported: {_IGNORED[part]}"
            for part in self._parts()
            if part in _IGNORED
        ]

    @property
    def null_text(self) -> Literal["empty", "zeros"]:
        """What guidance compares with where a prompt has no negative."""
        zeros = self.is_sdxl and self._values.get("force_zeros_for_empty_prompt", True)
        return "zeros" if zeros else "empty"

    def labels(self) -> Any:
        """Return the names of the classes, as they are written there."""
        return self._values.get("id2label")

    def _parts(self) -> dict[str, str]:
        """Return part -> its class."""
        return _classes(self._values)


def read_folders(values: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the folders of a pipeline that may be read: those with weights, and the others.

    Of a class that is not read here, all of them may be: a plugin may read it.

    Raises:
        ModelFileError: an entry is malformed.
    """
    ignored = _IGNORED if values.get("_class_name") in PIPELINES else ()
    parts = [part for part in _classes(values) if part not in ignored] or [""]
    without = [part for part in parts if part.startswith(WITHOUT_WEIGHTS)]
    return [part for part in parts if part not in without], without


def _classes(values: Mapping[str, Any]) -> dict[str, str]:
    """Return part -> its class, of the parts that are not null.

    Raises:
        ModelFileError: the entry of a part that is read is no pair of a library and a class.
    """
    found = {}
    for part, entry in values.items():
        names_class = isinstance(entry, list) and len(entry) == 2 and isinstance(entry[1], str)
        if names_class:
            found[part] = entry[1]
        elif part in _READ and entry not in (None, [None, None]):
            raise ModelFileError(
                f"model_index.json: '{part}': expected a library and a class, such as "
                f'["diffusers", "AutoencoderKL"], got {entry!r}'
            )
    return found
