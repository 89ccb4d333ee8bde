"""PLMS, the pseudo linear multistep method (Liu et al., arXiv:2202.09778), as the paper uses it."""

import math
from collections import deque
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid
from latelier_samplers.multistep import ADAMS_BASHFORTH, multistep


def plms(
    denoise: Denoise,
    x: Tensor,
    grid: SigmaGrid,
    /,
    *,
    noise: Noise,  # noqa: ARG001
) -> Iterator[Step]:
    """Yield the steps of the method: one call of `denoise` each, two for the first.

    The first step is the pseudo improved Euler one (the mean of the slopes at its two ends), the
    following are Adams-Bashforth steps of order 2, 3 and 4. These weights are for even spacing and
    are used for any, so the whole is of second order; with evenly spaced sigmas of third, the
    first step's.

    As published: in the 've' frame the slope dx/dsigma = (x - x0) / sigma is eps, and a step is
    DDIM's with a combination of eps. A run of one step calls the model a second time at the same
    t. Not as published: in the 'flow' frame it is the slope dx/dsigma there that is combined, eps -
    x0, for a combination of eps says nothing of x0 at pure noise; and a first step to sigma 0
    (where there is no model to call) is Euler's.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    slopes: deque[Tensor] = deque(maxlen=len(ADAMS_BASHFORTH))
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        denoised = denoise(x, sigma)
        slopes.appendleft((x - denoised) / sigma)
        if index == 0 and to > 0:
            # The next t of the list, which is the same where the list has but one.
            at = to if grid.steps > 1 else sigma
            scale = math.hypot(grid.alpha(at), at) / math.hypot(grid.alpha(to), to)
            x_at = torch.add(x, slopes[0], alpha=to - sigma) * scale
            denoised = denoise(x_at, at)
            mean = (slopes[0] + (x_at - denoised) / at) / 2
            x = torch.add(x, mean, alpha=to - sigma)
        else:
            x = multistep(x, slopes, [(to - sigma) * w for w in ADAMS_BASHFORTH[len(slopes) - 1]])
        yield Step(index, to, x, denoised)
