"""iPNDM: PLMS without its second call in the first step (Zhang and Chen, arXiv:2204.13902)."""

from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid
from latelier_samplers.multistep import ADAMS_BASHFORTH, multistep


def ipndm(
    denoise: Denoise,
    x: Tensor,
    grid: SigmaGrid,
    /,
    *,
    noise: Noise,  # noqa: ARG001
    order: Annotated[int, Field(ge=1, le=4, description="number of slopes that are combined")] = 4,
) -> Iterator[Step]:
    """Yield the steps of the method: one call of `denoise` each.

    The first steps are Adams-Bashforth steps of lower order, the very first is Euler's. The weights
    are for even spacing and are used for any; with both, the whole is of second order with any
    `order` above 1. ('lms' has weights for the spacing at hand.)

    In the 've' frame the slope dx/dsigma = (x - x0) / sigma is eps, and a step is DDIM's with a
    combination of eps. In the 'flow' frame it is the slope there that is combined, eps - x0, for a
    combination of eps says nothing of x0 at pure noise.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    slopes: deque[Tensor] = deque(maxlen=order)
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        denoised = denoise(x, sigma)
        slopes.appendleft((x - denoised) / sigma)
        x = multistep(x, slopes, [(to - sigma) * w for w in ADAMS_BASHFORTH[len(slopes) - 1]])
        yield Step(index, to, x, denoised)
