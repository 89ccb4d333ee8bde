"""Multistep consistency sampling (Song et al., arXiv:2303.01469, Algorithm 1)."""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid


def lcm(denoise: Denoise, x: Tensor, grid: SigmaGrid, /, *, noise: Noise) -> Iterator[Step]:
    """Yield the steps of Algorithm 1: to x0 in one call of `denoise`, and up again by fresh noise.

    It wants a model that was distilled to jump to the end of the way (a latent consistency model,
    arXiv:2310.04378, or one with such an adapter): of any other, x0 is a mean, and pictures get
    smooth. A few steps will do.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        denoised = denoise(x, sigma)
        x = denoised.to(x.dtype) * grid.alpha(to)
        if to > 0:
            x.add_(noise(sigma, to), alpha=to)
        yield Step(index, to, x, denoised)
