"""DDIM backwards, from an image to the noise it comes from (Song et al., arXiv:2010.02502)."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid


def ddim_inversion(
    denoise: Denoise,
    x: Tensor,
    grid: SigmaGrid,
    /,
    *,
    noise: Noise | None = None,  # noqa: ARG001
    refinements: Annotated[
        int, Field(ge=0, le=20, description="further calls of the model in each step")
    ] = 0,
) -> Iterator[Step]:
    """Yield the steps from x at the last sigma of the grid (an image) up to the first (its noise).

    DDIM's step down from `to` to sigma is x = x_to + (sigma - to) * slope(x_to), with slope(x_to) =
    (x_to - x0) / to. Backwards x is known, and x_to = x + (to - sigma) * slope(x_to) is sought. Of
    one call of `denoise` the x_to on the right is the x at hand, brought to the variance that it
    has at `to`: first order. Each refinement calls once more, at the x_to found before (Pan et al.,
    arXiv:2309.04907). They bring 'ddim' on the same grid and under the same condition back to the
    image: in 20 steps of the embedded model it comes back 6 % off without them, 1.6 % with one and
    0.06 % with four. That is with guidance 1; under stronger guidance they need not converge.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas[::-1])):
        scale = math.hypot(grid.alpha(to), to) / math.hypot(grid.alpha(sigma), sigma)
        x_to, denoised = x * scale, x
        for _ in range(1 + refinements):
            denoised = denoise(x_to, to)
            x_to = torch.add(x, x_to - denoised, alpha=(to - sigma) / to)
        x = x_to
        yield Step(index, to, x, denoised)
