"""What a run computed at a step and uses again at the next ones."""

from bisect import bisect_right
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
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


@dataclass(frozen=True, eq=False)
class _Kept(Generic[T]):
    """A value, the steps in which it was computed, and those in which it was used last."""

    value: T
    computed: Steps
    used: Steps


class StepCache(Generic[T]):
    """Values for a number of steps, apart for each call of a guidance rule.

    Steps are those of the sigmas, whatever calls a sampler makes within them: a sigma between two
    of the grid is in the step that begins at the higher one. Where a sampler returns to an earlier
    step, nothing is found. Calls differ by the objects of their conditions, and by the attentions
    that they perturb.

    Args:
        sigmas: of the run.
        interval: how many steps a value is good for, its own included.
    """

    def __init__(self, sigmas: SigmaGrid, interval: int) -> None:
        self._descending = [-sigma for sigma in sigmas]
        self._interval = interval
        self._kept: dict[Hashable, _Kept[T]] = {}

    def find(
        self, sigma: float | Tensor, conditions: Sequence[Condition], control: Control | None
    ) -> T | None:
        """Return the value for a call at a sigma; None if there is none that is good."""
        key, now = _key(conditions, control), self._steps_at(sigma)
        kept = self._kept.get(key)
        if kept is None or not self._is_good(kept, now):
            return None
        self._kept[key] = replace(kept, used=now)
        return kept.value

    def keep(
        self,
        sigma: float | Tensor,
        conditions: Sequence[Condition],
        control: Control | None,
        value: T,
    ) -> None:
        """Keep the value that a call at a sigma computed, and forget those that are out of date."""
        now = self._steps_at(sigma)
        self._kept = {key: kept for key, kept in self._kept.items() if self._is_good(kept, now)}
        self._kept[_key(conditions, control)] = _Kept(value, now, now)

    def _steps_at(self, sigma: float | Tensor) -> Steps:
        sigmas = sigma.flatten().tolist() if isinstance(sigma, Tensor) else [sigma]
        return tuple(bisect_right(self._descending, -s * (1 - _ROUNDING)) for s in sigmas)

    def _is_good(self, kept: _Kept[T], now: Steps) -> bool:
        """Return whether a value is good in the steps in which the images are now."""
        if len(now) != len(kept.used):
            return False
        steps = zip(kept.computed, kept.used, now, strict=True)
        return all(used <= step < computed + self._interval for computed, used, step in steps)


def _key(conditions: Sequence[Condition], control: Control | None) -> Hashable:
    """Return the identity of the conditions, which the cache keeps alive, and of the control."""
    return tuple(conditions), (control or Control()).perturbed_attention
