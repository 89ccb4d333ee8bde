"""The published variants of Stable Diffusion XL, recognized by names and shapes.

(Podell et al. 2023, arXiv:2307.01952.)
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latelier.checkpoints.importers.compvis.tensors import UNET
from latelier.checkpoints.importers.picture_size import PICTURE_SIZE
from latelier.checkpoints.io.shapes import Shapes
from latelier.contracts.errors import ModelFileError

INPUT = f"{UNET}input_blocks.0.0.weight"
CONTEXT = f"{UNET}input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight"
DECODER = "first_stage_model.decoder.conv_in.weight"

LATENTS = 4
NUMBER = 256
"""Width of the sinusoids of each number that says how a picture was cut."""


@dataclass(frozen=True)
class Variant:
    """A published variant.

    Attributes:
        name: human-readable.
        channel_mult: of the UNet.
        transformer_depth: of the UNet.
        clip_l: prefix of CLIP ViT-L/14, whose layout is that of transformers; None: it has none.
        clip_g: prefix of OpenCLIP ViT-bigG/14, whose layout is that of open_clip.
        numbers: how many say how a picture was cut.
    """

    name: str
    channel_mult: tuple[int, ...]
    transformer_depth: int | tuple[int, ...]
    clip_l: str | None
    clip_g: str
    numbers: int

    @property
    def text_encoders(self) -> tuple[str, ...]:
        """The prefixes of its text encoders."""
        return (self.clip_g,) if self.clip_l is None else (self.clip_l, self.clip_g)


_BASE = Variant(
    name="Stable Diffusion XL",
    channel_mult=(1, 2, 4),
    transformer_depth=(1, 2, 10),
    clip_l="conditioner.embedders.0.transformer.",
    clip_g="conditioner.embedders.1.model.",
    numbers=6,
)
_REFINER = Variant(
    name="Stable Diffusion XL's refiner",
    channel_mult=(1, 2, 4, 4),
    transformer_depth=4,
    clip_l=None,
    clip_g="conditioner.embedders.0.model.",
    numbers=5,
)
_VARIANTS = {(320, 2048): _BASE, (384, 1280): _REFINER}
"""Channels of the UNet's first level, and width of the text that it attends to -> variant."""

_CHANNELS = {LATENTS: "text to image", 2 * LATENTS + 1: "inpainting"}


def find_variant(shapes: Shapes) -> Variant | None:
    """Return the variant that names and shapes are of; None if they are of none."""
    if not shapes.keys() >= {INPUT, CONTEXT, DECODER}:
        return None
    first, context = shapes[INPUT], shapes[CONTEXT]
    return _VARIANTS.get((first[0], context[-1])) if context[0] == 2 * first[0] else None


def find_task(path: Path, variant: Variant, shapes: Shapes) -> str:
    """Return the task of the UNet in a file, by its input channels.

    Raises:
        ModelFileError: it takes another condition.
    """
    channels = shapes[INPUT][1]
    if channels not in _CHANNELS:
        raise ModelFileError(
            f"{path}: its UNet takes {channels} channels; supported variants of {variant.name} "
            f"take {' or '.join(map(str, _CHANNELS))}"
        )
    return _CHANNELS[channels]


def unet_fields(variant: Variant, shapes: Shapes) -> dict[str, Any]:
    """Return the configuration of the UNet. Its tensors have our names."""
    width, extra = shapes[CONTEXT][1], shapes[INPUT][1] - LATENTS
    return {
        "in_channels": LATENTS,
        "out_channels": LATENTS,
        "model_channels": shapes[INPUT][0],
        "channel_mult": variant.channel_mult,
        "num_res_blocks": 2,
        "attention_resolutions": (4, 2),
        "transformer_depth": variant.transformer_depth,
        "num_head_channels": 64,
        "use_linear_projections": True,
        "context_dim": width,
        "streams": {"text": {"width": width, "injection": "native"}},
        "spatial": {"mask": extra} if extra else {},
        "vectors": {"text": 1280, PICTURE_SIZE: variant.numbers * NUMBER},
        "joint_vectors": ("text", PICTURE_SIZE),
    }
