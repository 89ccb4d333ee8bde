"""What a run computed at a step and uses again at the next ones."""

from bisect import bisect_right
from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

from torch import Tensor

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition
from latelier.contracts.sigma_grid import SigmaGrid

T = TypeVar("T")

_ROUNDING = 1e-6
"""Greatest relative difference of a sigma that a sampler computes from that of the grid."""

Steps = tuple[int, ...]
"""The step that each image is in, or one number for all."""


class StepCache(Generic[T]):
    """Values for a number of steps, apart for each call of a guidance rule.

    Steps are those of the sigmas, whatever calls a sampler makes within them: a sigma between two
    of the grid is in the step that begins at the higher one. At a sigma of an earlier step, where
    a sampler restarts, nothing is found. Calls differ by the objects of their conditions, and by
    the attentions that they perturb.

    Args:
        sigmas: of the run.
        interval: how many steps a value is good for, its own included.
    """

    def __init__(self, sigmas: SigmaGrid, interval: int) -> None:
        self._descending = [-sigma for sigma in sigmas]
        self._interval = interval
        self._kept: dict[Hashable, tuple[Steps, T]] = {}

    def find(
        self, sigma: float | Tensor, conditions: Sequence[Condition], control: Control | None
    ) -> T | None:
        """Return the value for a call at a sigma; None if there is none that is good."""
        steps, value = self._kept.get(_key(conditions, control), ((), None))
        return value if self._is_good(steps, self._steps_at(sigma)) else None

    def keep(
        self,
        sigma: float | Tensor,
        conditions: Sequence[Condition],
        control: Control | None,
        value: T,
    ) -> None:
        """Keep the value that a call at a sigma computed, and forget those that are out of date."""
        now = self._steps_at(sigma)
        good = {key: each for key, each in self._kept.items() if self._is_good(each[0], now)}
        self._kept = {**good, _key(conditions, control): (now, value)}

    def _steps_at(self, sigma: float | Tensor) -> Steps:
        sigmas = sigma.flatten().tolist() if isinstance(sigma, Tensor) else [sigma]
        return tuple(bisect_right(self._descending, -s * (1 - _ROUNDING)) for s in sigmas)

    def _is_good(self, then: Steps, now: Steps) -> bool:
        """Return whether every image is in a step for which a value of the step `then` is good."""
        if len(then) != len(now):
            return False
        return all(0 <= b - a < self._interval for a, b in zip(then, now, strict=True))


def _key(conditions: Sequence[Condition], control: Control | None) -> Hashable:
    """Return the identity of the conditions, which the cache keeps alive, and of the control."""
    return tuple(conditions), control and control.perturbed_attention
