"""The problem that compared samplers solve: a model and starting points."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from latelier.contracts.components import PictureGeometry
from latelier.contracts.sampling import Denoise, Sampler, run_sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.noise import PerImageNoise
from latelier.diffusion.processes.process import Process


@dataclass(frozen=True, eq=False)
class Problem:
    """The probability-flow ODE dx/dsigma = (x - x0(x, sigma)) / sigma of a model, from noise.

    Attributes:
        name: to be shown.
        process: the noise process of the model.
        denoise: x0 of x (B, *shape) at sigma.
        seeds: of the B starting points, and of the noise that samplers draw.
        shape: of one starting point.
        dtype: of x.
        geometry: of the pictures; None if x is no picture.
    """

    name: str
    process: Process
    denoise: Denoise
    seeds: Sequence[int]
    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float32
    geometry: PictureGeometry | None = None

    def solve(self, sampler: Sampler, grid: SigmaGrid) -> Tensor:
        """Return the last x of a sampler, (B, *shape), on the scale of the model."""
        noise = PerImageNoise(self.seeds, self.shape)
        x = self.process.initial(noise.initial().to(self.dtype), grid.sigmas[0])
        with torch.no_grad():
            steps = run_sampler(sampler, self.denoise, x, grid, noise)
            [last] = deque(steps, maxlen=1)  # a thousand steps would fill the memory
            return self.process.finish(last.x, last.sigma)


def measure_errors(ends: Tensor, exact: Tensor) -> Tensor:
    """Return |end - exact| / |exact| of each image, (B,) float64; L2 over all of its numbers."""
    ends, exact = ends.double().flatten(1), exact.double().flatten(1)
    return (ends - exact).norm(dim=1) / exact.norm(dim=1)
