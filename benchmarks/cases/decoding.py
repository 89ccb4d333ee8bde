"""Latents to a picture, with the first stage of Stable Diffusion (KL-f8): seconds and memory.

Ours is what a run does at its end, with the tiles that it chooses; theirs is `decode` and what a
pipeline of diffusers makes of its output.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from benchmarks.cases.models import KL_F8, build, require_diffusers, to_diffusers, tune
from benchmarks.harness.case import Case, Setup, Variant
from benchmarks.harness.goal import Goal, ratio, speedup
from benchmarks.harness.memory import peak_memory, require_memory
from benchmarks.harness.timing import timed
from latelier.checkpoints.component import Component
from latelier.contracts.images.pixels import pil_to_tensor
from latelier.pipeline import compose

OURS, OURS_TILED, OURS_FP32 = "latelier", "latelier, tiles of 256", "latelier, fp32"
THEIRS, TUNED = "diffusers", "diffusers, tuned"

SMALLEST_UNET = {
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "channel_mult": [1],
    "num_res_blocks": 1,
    "num_heads": 1,
}
"""The denoiser of a run whose end is measured."""


@dataclass(frozen=True)
class Decoding:
    """The decoding of one picture.

    Attributes:
        side: of the picture, in pixels.
        gib: memory that the largest variant needs.
    """

    side: int
    gib: float

    def variants(self, _setup: Setup, /) -> Mapping[str, Variant]:
        """Return the decoding of each library: by default, and tuned by hand."""
        require_memory(self.gib)
        first_stage = build("first_stage", "latelier/autoencoder_kl", KL_F8)
        plain = to_diffusers(first_stage)
        generator = torch.Generator().manual_seed(1)
        latents = torch.randn(1, 4, self.side // 8, self.side // 8, generator=generator)
        return {
            THEIRS: decode_theirs(plain, latents),
            OURS_FP32: self.decode_ours(first_stage, latents, "float32"),
            OURS: self.decode_ours(first_stage, latents, "auto"),
            OURS_TILED: self.decode_ours(first_stage, latents, "auto", tile=256),
            TUNED: decode_theirs(tune(plain), latents),
        }

    def decode_ours(
        self, first_stage: Component, latents: Tensor, dtype: str, **request: Any
    ) -> Variant:
        """Return the decoding at the end of a run."""
        pipe = compose(
            first_stage=first_stage,
            denoiser=build("denoiser", "latelier/unet", SMALLEST_UNET),
            process={"kind": "vp"},
            defaults={"size": self.side},
            device="cpu",
            dtype=dtype,
        )
        preview = next(pipe.stream(steps=2, seed=0, **request))
        return timed(lambda: preview.decode(latents)[0], output=pil_to_tensor)

    def memory(self, _setup: Setup, /) -> Mapping[str, Variant]:
        """Return the peak memory of each, in processes of their own."""
        require_diffusers()
        require_memory(self.gib)
        names = (THEIRS, OURS, OURS_TILED, TUNED)
        return {name: peak_memory(f"decode-{self.side}", name) for name in names}


def decode_theirs(vae: Any, latents: Tensor) -> Variant:
    """Return the decoding of diffusers, as its pipelines do it."""
    from diffusers.image_processor import VaeImageProcessor

    processor = VaeImageProcessor()

    @torch.no_grad()
    def decode() -> Image.Image:
        scaled = latents.to(vae.dtype) / vae.config.scaling_factor
        images: Any = processor.postprocess(vae.decode(scaled, return_dict=False)[0])
        return images[0]

    return timed(decode, output=pil_to_tensor)


def make_cases(
    side: int, gib: float, rounds: int, faster: float | None = None, lighter: float | None = None
) -> list[Case]:
    """Return the cases of a size: seconds, and memory.

    Args:
        side: of the picture, in pixels.
        gib: memory that the largest variant needs.
        rounds: of the seconds.
        faster: goal of the speed over diffusers, both by default.
        lighter: goal of the memory relative to that of diffusers, both by default.
    """
    decoding, title = Decoding(side, gib), f"Decoding, KL-f8, {side} x {side}"
    goals = (
        Goal("speed over diffusers, both by default", speedup(OURS, THEIRS), faster),
        Goal("speed over diffusers tuned by hand", speedup(OURS, TUNED)),
    )
    memory = Goal("peak memory relative to diffusers", ratio(OURS, THEIRS), at_most=lighter)
    return [
        Case(f"decode-{side}", title, decoding.variants, goals, rounds),
        Case(f"decode-{side}-memory", f"{title}: memory", decoding.memory, (memory,), 3, 0),
    ]


DECODING = (
    *make_cases(256, 2, 7),
    *make_cases(512, 3, 5, faster=2.6, lighter=0.5),
    *make_cases(1024, 7, 3),
)
