"""A denoiser whose calls have no more rows than fit into memory."""

import torch
from torch import Tensor

from latelier.contracts.components import Control, Denoiser
from latelier.contracts.condition import Condition
from latelier.contracts.configs import DenoiserConfig
from latelier.diffusion.calls import DenoiserCall, select_rows
from latelier.engine.evaluation import attempt
from latelier.engine.row_limit import RowLimit
from latelier.nn.memory import is_out_of_memory


class FittingRows:
    """Calls a denoiser, in parts where memory is too small for all rows of a call.

    Args:
        denoiser: the network.
        limit: is lowered where memory is too small.
    """

    def __init__(self, denoiser: Denoiser, limit: RowLimit) -> None:
        self._denoiser = denoiser
        self._limit = limit

    @property
    def config(self) -> DenoiserConfig:
        """The denoiser's configuration."""
        return self._denoiser.config

    def __call__(
        self, x: Tensor, t: Tensor, condition: Condition, control: Control | None = None
    ) -> Tensor:
        """Return the prediction, (B, C, h, w)."""
        call = DenoiserCall(x, t, condition, control)
        prediction = attempt(lambda: call.run(self._denoiser))
        if not isinstance(prediction, BaseException):
            return prediction
        if call.rows == 1 or not is_out_of_memory(prediction):
            raise prediction
        self._limit.lower(call.rows)
        halves = torch.arange(call.rows, device=x.device).chunk(2)
        return torch.cat([select_rows(call, rows).run(self) for rows in halves])
