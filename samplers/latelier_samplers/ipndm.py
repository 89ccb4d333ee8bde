"""iPNDM: PLMS without its second call in the first step (Zhang and Chen, arXiv:2204.13902)."""

from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

from pydantic import Field
from torch import Tensor

from latelier.contracts.sampling import Denoise, Step
from latelier.contracts.sigma_grid import SigmaGrid
from latelier_samplers.multistep import ADAMS_BASHFORTH, multistep


def ipndm(
    denoise: Denoise,
    x: Tensor,
    sigmas: SigmaGrid,
    /,
    *,
    order: Annotated[int, Field(ge=1, le=4, description="number of slopes that are combined")] = 4,
) -> Iterator[Step]:
    """Yield the steps of the method: one call of `denoise` each.

    The first steps are Adams-Bashforth steps of lower order, the very first is Euler's. The weights
    are those for even spacing and are used for any; for both reasons the run is of second order
    with any `order` above 1. ('lms' has the weights for the spacing at hand.)

    In the 've' frame the slope dx/dsigma = (x - x0) / sigma is eps, and a step is DDIM's with a
    combination of eps. In the 'flow' frame the slope is eps - x0, and the combination is of these:
    one of eps says nothing about x0 at pure noise.
    """
    slopes: deque[Tensor] = deque(maxlen=order)
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        slopes.appendleft((x - denoised) / sigma)
        weights = ADAMS_BASHFORTH[len(slopes) - 1]
        x = multistep(x, slopes, [(sigma_next - sigma) * weight for weight in weights])
        yield Step(index, sigma_next, x, denoised)
