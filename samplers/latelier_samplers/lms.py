"""The linear multistep method, as in k-diffusion: Adams-Bashforth for any spacing."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated

from pydantic import Field
from torch import Tensor

from latelier.contracts.sampling import Denoise, Step
from latelier.contracts.sigma_grid import SigmaGrid
from latelier_samplers.multistep import multistep


def lms(
    denoise: Denoise,
    x: Tensor,
    sigmas: SigmaGrid,
    /,
    *,
    order: Annotated[int, Field(ge=1, le=4, description="earlier steps that are used")] = 4,
) -> Iterator[Step]:
    """Yield the steps of the method: one call of `denoise` each.

    A step integrates the polynomial in sigma through the last `order` slopes dx/dsigma = (x - x0) /
    sigma. The first steps have fewer of them: the first is Euler's, and the run is of second order
    with any `order` above 1. (A first step of Heun's makes it of third order, but for as many
    calls, 8 to 30, the error was not smaller.) In the 've' frame the slope is eps, and this is the
    rhoAB-DEIS of Zhang and Chen (arXiv:2204.13902).
    """
    slopes: deque[Tensor] = deque(maxlen=order)
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        slopes.appendleft((x - denoised) / sigma)
        nodes = sigmas[index + 1 - len(slopes) : index + 1][::-1]
        x = multistep(x, slopes, _weights(nodes, sigma_next))
        yield Step(index, sigma_next, x, denoised)


def _weights(nodes: Sequence[float], sigma_next: float) -> list[float]:
    """Return the integrals, from nodes[0] to `sigma_next`, of the nodes' Lagrange polynomials.

    Gauss' rule with two points is exact for them, which are cubic at most.
    """
    middle, half = (nodes[0] + sigma_next) / 2, (sigma_next - nodes[0]) / 2
    points = middle - half / math.sqrt(3), middle + half / math.sqrt(3)
    return [
        half * sum(math.prod((p - o) / (node - o) for o in nodes if o != node) for p in points)
        for node in nodes
    ]
