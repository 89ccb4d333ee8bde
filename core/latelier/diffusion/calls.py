"""Calls of a denoiser as values, which can be joined into one call or divided by rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from latelier.contracts.components import Control, Denoiser, ScaledAdapter
from latelier.contracts.condition import Condition, concat, select


@dataclass(frozen=True, eq=False)
class DenoiserCall:
    """The arguments of one call of a denoiser.

    Attributes:
        x: (B, C, h, w).
        t: (B,) float32.
        condition: of B rows.
        control: of the whole call.
    """

    x: Tensor
    t: Tensor
    condition: Condition
    control: Control | None = None

    @property
    def rows(self) -> int:
        """Number of rows B."""
        return len(self.x)

    def run(self, denoiser: Denoiser) -> Tensor:
        """Return what a denoiser predicts, (B, C, h, w)."""
        return denoiser(self.x, self.t, self.condition, self.control)


class ConditionJoiner:
    """Joins conditions as `concat` does, and remembers the last results.

    The conditions of a run are the same at every step.
    """

    def __init__(self) -> None:
        self._recall = lru_cache(maxsize=4)(lambda *conditions: concat(conditions))

    def __call__(self, conditions: Sequence[Condition]) -> Condition:
        """Return one condition with the rows of all, in order."""
        return concat(conditions) if torch.is_grad_enabled() else self._recall(*conditions)


def join_calls(
    calls: Sequence[DenoiserCall],
    join_conditions: Callable[[Sequence[Condition]], Condition] = concat,
) -> DenoiserCall:
    """Return one call with the rows of all, in order.

    Their latents have one size, their spatial parts the same names, and their controls differ in
    residuals and in the scales of adapters alone. None has a `deep_branch`.
    """
    if len(calls) == 1:
        return calls[0]
    return DenoiserCall(
        torch.cat([call.x for call in calls]),
        torch.cat([call.t for call in calls]),
        join_conditions([call.condition for call in calls]),
        _join_controls(calls),
    )


def select_rows(call: DenoiserCall, rows: Tensor) -> DenoiserCall:
    """Return a call with the rows that an index (K,) int64 names, in its order."""
    condition = select(call.condition, rows)
    return DenoiserCall(call.x[rows], call.t[rows], condition, _select(call.control, rows))


def _select(control: Control | None, rows: Tensor) -> Control | None:
    if control is None:
        return None
    residuals = {name: residual[rows] for name, residual in control.residuals.items()}
    adapters = {
        name: replace(use, scale=use.scale[rows]) if isinstance(use.scale, Tensor) else use
        for name, use in control.adapters.items()
    }
    branch = control.deep_branch and control.deep_branch.select(rows)
    return replace(control, residuals=residuals, adapters=adapters, deep_branch=branch)


def _join_controls(calls: Sequence[DenoiserCall]) -> Control | None:
    controls = [call.control for call in calls if call.control is not None]
    if not controls:
        return None
    residuals = {
        name: torch.cat([control.residuals[name] for control in controls])
        for name in controls[0].residuals
    }
    rows = [call.rows for call in calls]
    adapters = {
        name: _join_uses([control.adapters[name] for control in controls], rows, calls[0].x.device)
        for name in controls[0].adapters
    }
    return replace(controls[0], residuals=residuals, adapters=adapters)


def _join_uses(
    uses: Sequence[ScaledAdapter], rows: Sequence[int], device: torch.device
) -> ScaledAdapter:
    """Return an adapter with one scale, or one for each row where the scales differ."""
    first = uses[0].scale
    if all(isinstance(use.scale, float | int) and use.scale == first for use in uses):
        return uses[0]
    scales = [
        torch.as_tensor(use.scale, dtype=torch.float32, device=device).expand(count)
        for use, count in zip(uses, rows, strict=True)
    ]
    return replace(uses[0], scale=torch.cat(scales))
