"""PLMS, the pseudo linear multistep method (Liu et al., arXiv:2202.09778), as the paper uses it."""

import math
from collections import deque
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from latelier.contracts.sampling import Denoise, Step
from latelier.contracts.sigma_grid import SigmaGrid
from latelier_samplers.multistep import ADAMS_BASHFORTH, multistep


def plms(denoise: Denoise, x: Tensor, sigmas: SigmaGrid, /) -> Iterator[Step]:
    """Yield the steps of the method: one call of `denoise` each, two for the first.

    The first step is the pseudo improved Euler one (the mean of the slopes at its two ends), the
    following are Adams-Bashforth steps of order 2, 3 and 4. Their weights are for even spacing and
    are used for any, so the run is of second order; with evenly spaced sigmas of third, that of
    the first step.

    As published: in the 've' frame the slope dx/dsigma = (x - x0) / sigma is eps, and a step is
    DDIM's with a combination of eps. A run of one step calls the model a second time at the same
    t. Not as published: in the 'flow' frame the slope is eps - x0, and the combination is of
    these, for one of eps says nothing about x0 at pure noise; and a first step to sigma 0, where
    the model cannot be called, is Euler's.
    """
    slopes: deque[Tensor] = deque(maxlen=len(ADAMS_BASHFORTH))
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        slopes.appendleft((x - denoised) / sigma)
        h = sigma_next - sigma
        if index == 0 and sigma_next > 0:
            # The sigma of the next t of the list, which has only one if there is one step.
            sigma_end = sigma_next if sigmas.steps > 1 else sigma
            scale = math.hypot(sigmas.alpha(sigma_end), sigma_end)
            scale /= math.hypot(sigmas.alpha(sigma_next), sigma_next)
            x_end = torch.add(x, slopes[0], alpha=h) * scale
            denoised = denoise(x_end, sigma_end)
            mean = (slopes[0] + (x_end - denoised) / sigma_end) / 2
            x = torch.add(x, mean, alpha=h)
        else:
            x = multistep(x, slopes, [h * weight for weight in ADAMS_BASHFORTH[len(slopes) - 1]])
        yield Step(index, sigma_next, x, denoised)
