"""The number of steps of a sampler within a budget of calls of the model."""

from collections.abc import Callable

import torch
from torch import Tensor

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.sampling import Sampler, run_sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.noise import PerImageNoise


def count_calls(sampler: Sampler, grid: SigmaGrid) -> int:
    """Return how often a sampler calls the model in a run, by a run on a model that is free."""
    calls = 0

    def denoise(x: Tensor, _sigma: float | Tensor, /) -> Tensor:
        nonlocal calls
        calls += 1
        return torch.zeros_like(x)

    noise = PerImageNoise([0], (1,))
    for _ in run_sampler(sampler, denoise, torch.ones(1, 1), grid, noise):
        pass
    return calls


def find_grid(
    budget: int, sampler: Sampler, schedule: Callable[[int], SigmaGrid]
) -> SigmaGrid | None:
    """Return the sigmas of the most steps that a sampler makes with `budget` calls of the model.

    So a sampler that calls it twice a step has half the steps. None if one step is too much, or if
    the schedule makes no run that is short enough.
    """
    for steps in range(budget, 0, -1):
        try:
            grid = schedule(steps)
        except InvalidInputError:  # a schedule need not support every number of steps
            continue
        if count_calls(sampler, grid) <= budget:
            return grid
    return None
