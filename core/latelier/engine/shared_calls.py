"""The calls of a denoiser, made for many runs together."""

import time
from collections.abc import Sequence

import torch
from torch import Tensor

from latelier.contracts.components import Denoiser
from latelier.diffusion.calls import ConditionJoiner, DenoiserCall, join_calls
from latelier.engine.stats import CallCounts


class SharedCalls:
    """Makes one call of a denoiser for several.

    Attributes:
        counts: of the calls so far.
    """

    def __init__(self, denoiser: Denoiser) -> None:
        self.counts = CallCounts()
        self._denoiser = denoiser
        self._join_conditions = ConditionJoiner()

    def compute(self, calls: Sequence[DenoiserCall]) -> Sequence[Tensor]:
        """Return the prediction for each call."""
        start = time.perf_counter()
        prediction = join_calls(calls, self._join_conditions).run(self._denoiser)
        rows = [call.rows for call in calls]
        self.counts = self.counts.plus(sum(rows), time.perf_counter() - start)
        return torch.split(prediction, rows)
