"""The first stages and denoisers of the study, as the paper's Tables 8 and 13 list them.

Every step of every training costs about the same arithmetic, and all have the same number of steps.
So their batch sizes differ, as those of the paper do, whose batches fill one A100.
"""

from dataclasses import dataclass
from typing import Literal

SIDE = 64
"""Of the pictures, in pixels."""


@dataclass(frozen=True)
class Model:
    """A latent diffusion model: a first stage and a denoiser of its latents.

    Attributes:
        factor: f, by which the first stage divides the sides of a picture.
        kind: Of the first stage: none is that of diffusion on pixels.
        channels: Of the latents.
        first_stage_mult: Channels of each level of the first stage, in units of 32; the first level
            has patches of 2 x 2 pixels.
        first_stage_batch: Pictures in a step of its training.
        codes: Of a codebook; 0 without one.
        denoiser_mult: Channels of each level of the denoiser, in units of 32.
        attention: Downsampling factors in the denoiser at which there is attention.
        batch: Latents in a step of its training.
    """

    factor: int
    kind: Literal["none", "kl", "vq"]
    channels: int
    first_stage_mult: tuple[int, ...]
    first_stage_batch: int
    denoiser_mult: tuple[int, ...]
    attention: tuple[int, ...]
    batch: int
    codes: int = 0

    @property
    def name(self) -> str:
        """Name in files and tables: "ldm-4", or with a codebook "ldm-vq-4"."""
        return f"ldm-{'vq-' if self.kind == 'vq' else ''}{self.factor}"

    @property
    def latent_side(self) -> int:
        """Side of the latents."""
        return SIDE // self.factor


MODELS = (
    # f, kind, channels; mult and batch of the first stage; mult, attention, batch of the denoiser
    Model(1, "none", 3, (), 0, (1, 1, 2, 3, 4), (8, 16), 8),
    Model(2, "kl", 3, (1,), 28, (1, 2, 3, 4), (4, 8), 17),
    Model(4, "kl", 4, (1, 2), 16, (2, 3, 4), (2, 4), 28),
    Model(8, "kl", 8, (1, 2, 4), 11, (4, 4), (1, 2), 44),
    Model(16, "kl", 16, (1, 2, 4, 4), 12, (4, 4), (1, 2), 176),
    Model(32, "kl", 32, (1, 2, 4, 4, 4), 13, (4, 4), (1, 2), 690),
    Model(4, "vq", 4, (1, 2), 16, (2, 3, 4), (2, 4), 28, codes=1024),
    Model(8, "vq", 4, (1, 2, 4), 11, (4, 4), (1, 2), 44, codes=4096),
)
