"""Sigmas that depend on the size of the picture (Esser et al. 2024, arXiv:2403.03206)."""

import math
from typing import Annotated

from pydantic import Field

from latelier.contracts.components import PictureGeometry
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.processes.process import Process
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier_samplers.schedules.ratios import check_steps

Tokens = Annotated[int, Field(ge=1, le=2**20)]
Shift = Annotated[float, Field(ge=0, le=10)]


def dynamic_shift(
    steps: int,
    process: Process,
    /,
    *,
    geometry: PictureGeometry,
    patch_size: Annotated[
        int, Field(ge=1, le=64, description="side of a token of the denoiser, in latents")
    ] = 2,
    base_tokens: Annotated[Tokens, Field(description="tokens at which mu is base_shift")] = 256,
    max_tokens: Annotated[Tokens, Field(description="tokens at which mu is max_shift")] = 4096,
    base_shift: Annotated[Shift, Field(description="mu of the smaller number of tokens")] = 0.5,
    max_shift: Annotated[Shift, Field(description="mu of the larger number of tokens")] = 1.15,
) -> SigmaGrid:
    """Return evenly spaced sigmas, shifted to more noise for larger pictures, and a final 0.

    The ratio sigma / (1 - sigma) is multiplied by e^mu: a larger picture needs more noise to hide
    as much of it (section 5.3.2). mu is linear in the number of tokens, also beyond the two given
    numbers. The defaults are those of FLUX.1; equal shifts are a shift for all sizes.

    Raises:
        InvalidInputError: `steps` is below 1 or above the training steps, max_tokens is not above
            base_tokens, or the process is not rectified flow.
    """
    check_steps(steps)
    if not isinstance(process, RectifiedFlow):
        raise InvalidInputError(
            "the schedule 'dynamic_shift' is for the process 'rectified_flow', not for "
            f"'{process.kind}'; use the schedule 'karras'"
        )
    if steps > process.training_steps:
        raise InvalidInputError(
            f"the schedule 'dynamic_shift' makes 1 to {process.training_steps} steps, as many as "
            f"the process was trained with, not {steps}"
        )
    if max_tokens <= base_tokens:
        raise InvalidInputError(
            f"max_tokens must be above base_tokens, not {max_tokens} and {base_tokens}"
        )
    height, width = geometry.latent_size
    tokens = (height // patch_size) * (width // patch_size)
    slope = (max_shift - base_shift) / (max_tokens - base_tokens)
    factor = math.exp(base_shift + slope * (tokens - base_tokens))
    evenly = (1 - i / steps for i in range(steps))
    return SigmaGrid((*(factor / (factor + (1 / s - 1)) for s in evenly), 0.0), process.frame)
