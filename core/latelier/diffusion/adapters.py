"""Adapters in the calls of a denoiser: when they act, and what they add."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

from torch import Tensor

from latelier.contracts.adapters import ResidualAdapter
from latelier.contracts.components import Control, ScaledAdapter
from latelier.contracts.condition import Condition
from latelier.contracts.frames import per_image


@dataclass(frozen=True, eq=False)
class AdapterUse:
    """An adapter in a run.

    Attributes:
        module: the adapter.
        scale: its strength.
        sigma_range: (low, high], where it acts.
    """

    module: Any
    scale: float = 1.0
    sigma_range: tuple[float, float] = (-math.inf, math.inf)

    def scale_at(self, sigma: float | Tensor) -> float | Tensor:
        """Return its strength at sigma, a number, or one for each row of sigma (B,)."""
        low, high = self.sigma_range
        if self.sigma_range == (-math.inf, math.inf):
            return self.scale
        if isinstance(sigma, Tensor) and sigma.ndim:
            return self.scale * ((sigma > low) & (sigma <= high)).float()
        return self.scale if low < sigma <= high else 0.0


class AdapterCalls:
    """What the adapters of a run add to each call of the denoiser.

    Args:
        uses: the adapters by name, which is that of their stream or hint.
    """

    def __init__(self, uses: Mapping[str, AdapterUse]) -> None:
        residual = {k: use for k, use in uses.items() if isinstance(use.module, ResidualAdapter)}
        self._residual: Mapping[str, AdapterUse] = residual
        self._attention = {name: use for name, use in uses.items() if name not in residual}
        # the condition of a run is the same at every step
        self._divide = lru_cache(maxsize=4)(partial(_divide_hints, residual.keys()))

    def attend(self, sigma: float | Tensor, control: Control | None) -> Control | None:
        """Return a control with the attention adapters, for a call with the rows of sigma."""
        if not self._attention:
            return control
        control = control or Control()
        adapters = {
            name: ScaledAdapter(use.module, use.scale_at(sigma))
            for name, use in self._attention.items()
        }
        return replace(control, adapters={**adapters, **control.adapters})

    def add_residuals(
        self,
        x: Tensor,
        t: Tensor,
        sigma: float | Tensor,
        condition: Condition,
        control: Control | None,
    ) -> tuple[Condition, Control | None]:
        """Return the denoiser's own condition, and a control with the residuals of the adapters.

        Args:
            x: the denoiser's input, (B, C, h, w).
            t: (B,).
            sigma: of all rows, or (B,).
            condition: with the hints of the adapters.
            control: of the call.
        """
        if not self._residual:
            return condition, control
        own, hints = self._divide(condition)
        control = control or Control()
        residuals = dict(control.residuals)
        for name, use in self._residual.items():
            scale = use.scale_at(sigma)
            if name not in hints or (not isinstance(scale, Tensor) and scale == 0):
                continue
            for block, residual in use.module.residuals(x, t, own, hints[name]).items():
                scaled = residual * per_image(scale, residual)
                residuals[block] = residuals[block] + scaled if block in residuals else scaled
        return own, replace(control, residuals=residuals)


def _divide_hints(
    names: Collection[str], condition: Condition
) -> tuple[Condition, dict[str, Tensor]]:
    """Return a condition without the hints of these names, and the hints."""
    hints = {name: each for name, each in condition.spatial.items() if name in names}
    spatial = {name: each for name, each in condition.spatial.items() if name not in names}
    return replace(condition, spatial=spatial), hints
