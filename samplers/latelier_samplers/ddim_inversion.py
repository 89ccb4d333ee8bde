"""DDIM backwards, from an image to the noise it comes from (Song et al., arXiv:2010.02502)."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts.sampling import Denoise, Step
from latelier.contracts.sigma_grid import SigmaGrid


def ddim_inversion(
    denoise: Denoise,
    x: Tensor,
    sigmas: SigmaGrid,
    /,
    *,
    refinements: Annotated[
        int, Field(ge=0, le=20, description="further calls of the model in each step")
    ] = 0,
) -> Iterator[Step]:
    """Yield the steps from x at the last sigma (an image) up to the first (its noise).

    DDIM's step down from sigma_next to sigma is x = x_next + (sigma - sigma_next) * d(x_next),
    where d(x_next) = (x_next - x0) / sigma_next. Here x is known, and
    x_next = x + (sigma_next - sigma) * d(x_next) has to be solved. The first guess for the x_next
    on the right is x, scaled to the variance of x_next: first order. Each refinement calls the
    model at the x_next found so far (Pan et al., arXiv:2309.04907), so that 'ddim' on the same
    sigmas and under the same condition returns to the image: in 20 steps of the embedded model it
    misses it by 6 % without refinements, by 1.6 % with one and by 0.06 % with four. This holds for
    guidance 1; under stronger guidance the refinements need not converge.
    """
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas[::-1])):
        scale = math.hypot(sigmas.alpha(sigma_next), sigma_next)
        scale /= math.hypot(sigmas.alpha(sigma), sigma)
        x_next, denoised = x * scale, x
        for _ in range(1 + refinements):
            denoised = denoise(x_next, sigma_next)
            share = (sigma_next - sigma) / sigma_next
            x_next = torch.add(x, x_next - denoised, alpha=share)
        x = x_next
        yield Step(index, sigma_next, x, denoised)
