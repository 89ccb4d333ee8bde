"""How many steps a sampler may make for a number of calls of the model."""

from collections.abc import Callable

import torch
from torch import Tensor

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.sampling import Sampler, run_sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.noise import PerImageNoise


def calls_on(sampler: Sampler, grid: SigmaGrid) -> int:
    """Return how often a sampler calls the model on a grid, counted on a model that is free."""
    calls = 0

    def denoise(x: Tensor, _sigma: float | Tensor, /) -> Tensor:
        nonlocal calls
        calls += 1
        return torch.zeros_like(x)

    noise = PerImageNoise([0], (1,))
    for _ in run_sampler(sampler, denoise, torch.ones(1, 1), grid, noise):
        pass
    return calls


def grid_within(
    budget: int, sampler: Sampler, grid_of: Callable[[int], SigmaGrid]
) -> SigmaGrid | None:
    """Return the grid of the most steps that a sampler makes with `budget` calls of the model.

    A sampler that calls it twice a step is so given half the steps. None where one step is too
    much, or where no such grid can be made.
    """
    for steps in range(budget, 0, -1):
        try:
            grid = grid_of(steps)
        except InvalidInputError:  # a schedule need not be able to make every number of steps
            continue
        if calls_on(sampler, grid) <= budget:
            return grid
    return None
