"""Reads single files of Stable Diffusion XL by their names and shapes."""

from collections.abc import Collection, Mapping

from torch import Tensor

from latelier.checkpoints.importers.clip import (
    PROMPT_SYNTAX,
    SDXL_OUTPUTS,
    SDXL_POOLED,
    clip_pair_part,
    clip_text_part,
    prompt_fields,
)
from latelier.checkpoints.importers.clip_layout import (
    clip_from_compvis,
    clip_from_open_clip,
    projection_from_open_clip,
)
from latelier.checkpoints.importers.compvis.first_stages import autoencoder_kl
from latelier.checkpoints.importers.compvis.target import Target
from latelier.checkpoints.importers.compvis.tensors import BUFFERS, FIRST_STAGE, UNET, strip_prefix
from latelier.checkpoints.importers.fit import IGNORE_LEFTOVERS, refuse_leftovers
from latelier.checkpoints.importers.picture_size import PICTURE_SIZE, picture_size_part
from latelier.checkpoints.importers.stable_diffusion.published import KL_F8
from latelier.checkpoints.importers.stable_diffusion_xl.distilled import find_distilled_defaults
from latelier.checkpoints.importers.stable_diffusion_xl.process import (
    MARKERS,
    Training,
    find_training,
)
from latelier.checkpoints.importers.stable_diffusion_xl.published import (
    LATENTS,
    NUMBER,
    Variant,
    find_task,
    find_variant,
    unet_fields,
)
from latelier.checkpoints.importers.tokenizer_json import with_fallback
from latelier.contracts.errors import ModelFileError
from latelier.contracts.importing import Imported, ImportedPart, ImportSource

_TRAINING = ("denoiser.", "model_ema.")
"""Tables of noise levels, and averages of weights, which are not read."""


class StableDiffusionXL:
    """Checkpoints of Stable Diffusion XL: base, inpainting and refiner, and their fine-tunes.

    Options: prediction, "eps" or "v", in place of what the file says; prompt_syntax, "plain",
    "a1111" or "comfyui"; ignore_leftovers, unexpected tensors to ignore.
    """

    options = frozenset({"prediction", PROMPT_SYNTAX, IGNORE_LEFTOVERS})

    def recognizes(self, source: ImportSource, /) -> bool:
        """Return whether the source has no YAML, and its shapes are those of a variant."""
        return source.config is None and find_variant(source.shapes()) is not None

    def read(self, source: ImportSource, /) -> Imported:
        """Return the model.

        Raises:
            ModelFileError: the file is of another model, or its weights are incomplete.
            InvalidConfigError: an option is invalid.
        """
        shapes, tensors = source.shapes(), source.tensors()
        variant = find_variant(shapes)
        if variant is None:
            raise ModelFileError(
                f"{source.path}: lacks the names and shapes of Stable Diffusion XL"
            )
        _check_text_encoders(variant, source, shapes)
        task, unet = find_task(source.path, variant, shapes), unet_fields(variant, shapes)
        training = find_training(source.path, shapes, source.options)
        distilled, few_steps = find_distilled_defaults(source.path.name)
        notes = [f"{variant.name}, {task}, by its shapes", training.note, *few_steps]
        notes += _check_leftovers(variant, source, shapes)
        parts = {
            "first_stage": _first_stage_part(training, tensors),
            "denoiser": ImportedPart("latelier/unet", unet, strip_prefix(UNET, tensors)),
            "conditioners.text": _text_part(variant, tensors, source),
            f"conditioners.{PICTURE_SIZE}": picture_size_part(variant.numbers, NUMBER),
        }
        if unet["spatial"]:
            parts["conditioners.mask"] = ImportedPart("latelier/mask", {"latent_channels": LATENTS})
        return Imported(
            parts,
            training.process,
            {"size": 1024, **training.defaults, **distilled},
            {"prompt": "text"},
            tuple(notes),
        )


def _check_text_encoders(variant: Variant, source: ImportSource, names: Collection[str]) -> None:
    for prefix in variant.text_encoders:
        if not any(name.startswith(prefix) for name in names):
            raise ModelFileError(
                f"{source.path}: is a checkpoint without its text encoder (no {prefix}*): merge "
                "that into it, or import the folder of its pipeline"
            )


def _first_stage_part(training: Training, tensors: Mapping[str, Tensor]) -> ImportedPart:
    factors = {"scale_factor": training.scale_factor, "shift_factor": training.shift_factor}
    target = Target("AutoencoderKL", {**KL_F8, **factors})
    return autoencoder_kl(target, strip_prefix(FIRST_STAGE, tensors), 1.0)


def _text_part(
    variant: Variant, tensors: Mapping[str, Tensor], source: ImportSource
) -> ImportedPart:
    """Return the text encoder, or both; an empty negative prompt is zeros for both."""
    read_file = with_fallback(source.sibling)
    open_clip = strip_prefix(variant.clip_g, tensors)
    fields = {
        "null": "empty" if variant.clip_l is None else "zeros",
        **prompt_fields(source.options),
    }
    clip_g = clip_text_part(
        clip_from_open_clip(open_clip) | projection_from_open_clip(open_clip),
        read_file,
        {**SDXL_POOLED, **fields, "hidden_act": "gelu", "pad_token_id": 0},
    )
    if variant.clip_l is None:
        return clip_g
    clip_l = clip_text_part(
        clip_from_compvis(strip_prefix(variant.clip_l, tensors)),
        read_file,
        {**SDXL_OUTPUTS, **fields, "hidden_act": "quick_gelu"},
    )
    return clip_pair_part(clip_l, clip_g)


def _check_leftovers(
    variant: Variant, source: ImportSource, names: Collection[str]
) -> tuple[str, ...]:
    read = (UNET, FIRST_STAGE, *variant.text_encoders, *_TRAINING)
    leftovers = {name for name in names if not name.startswith(read)} - BUFFERS - MARKERS
    ignore = source.options.get(IGNORE_LEFTOVERS, ())
    return refuse_leftovers("the checkpoint", leftovers, ignore)
