"""Validation at fixed noise levels, whatever density of levels training has.

Held-out samples, their noise and the levels are always the same, so numbers can be compared within
a run, between runs of other densities, weights and predictions, and between models of one first
stage.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from latelier.diffusion.processes.process import Process
from latelier.training.prediction.levels import to_sigma

_ROUNDING = 1e-12
"""Share of the mean square below which a variance is nothing but rounding."""


class PredictX0(Protocol):
    """Estimates x0 from noised latents of held-out samples."""

    def __call__(self, x: Tensor, sigma: Tensor, /) -> Tensor:
        """Return x0 (B, C, h, w) for x at sigma (B,)."""
        ...


class LevelErrors:
    """Sums of the errors of x0 at fixed noise levels, over batches of held-out samples."""

    def __init__(self, levels: Sequence[float], process: Process) -> None:
        self._levels = levels
        self._process = process
        self._errors = [0.0 for _ in levels]
        self._numbers = 0
        self._moments: tuple[Tensor, Tensor, int] | None = None

    def add(self, latents: Tensor, eps: Tensor, predict_x0: PredictX0) -> None:
        """Add a batch: latents and their noise, both (B, C, h, w), at every level."""
        for k, level in enumerate(self._levels):
            sigma = to_sigma(torch.full((len(latents),), level, dtype=torch.float64), self._process)
            x0 = predict_x0(self._process.noised(latents, eps, sigma), sigma)
            self._errors[k] += (x0 - latents).square().sum().item()
        self._numbers += latents.numel()
        channels = latents.double().transpose(0, 1).flatten(1)
        sums = (channels.sum(1), channels.square().sum(1), channels.shape[1])
        before = self._moments or (0, 0, 0)
        self._moments = (before[0] + sums[0], before[1] + sums[1], before[2] + sums[2])

    def summarize(self) -> dict[str, float]:
        """Return "x0_error", the mean over the levels, and "x0_error_<level>" of each.

        Errors are mean squares in units of the latents' variance within channels: 1 is the error of
        a model that returns each channel's mean. Latents without variance, such as those of one
        flat picture, leave them as mean squares.
        """
        assert self._moments is not None
        total, squares, count = self._moments
        square = (squares / count).mean().item()
        variance = (squares / count - (total / count).square()).mean().item()
        unit = variance if variance > _ROUNDING * square else 1.0
        errors = [error / self._numbers / unit for error in self._errors]
        each = {f"x0_error_{level:g}": error for level, error in zip(self._levels, errors)}
        return {"x0_error": sum(errors) / len(errors), **each}
