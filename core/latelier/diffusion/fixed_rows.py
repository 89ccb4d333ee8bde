"""A denoiser whose calls all have one number of rows, so that the bits of a row never change.

Matrix products and convolutions choose their algorithm by the shapes of a call, so the bits of a
row depend on how many rows are with it. In calls of one shape they do not.
"""

import torch
from torch import Tensor

from latelier.contracts.components import Control, Denoiser
from latelier.contracts.condition import Condition
from latelier.contracts.configs import DenoiserConfig
from latelier.diffusion.calls import DenoiserCall, select_rows

MAX_ROWS = 1024
"""Most rows that calls can be fixed to."""


class FixedRows:
    """Calls a denoiser with exactly `rows` rows, as often as a call needs.

    The last row fills the last call.
    """

    def __init__(self, denoiser: Denoiser, rows: int) -> None:
        self._denoiser = denoiser
        self._rows = rows

    @property
    def config(self) -> DenoiserConfig:
        """The denoiser's configuration."""
        return self._denoiser.config

    def __call__(
        self, x: Tensor, t: Tensor, condition: Condition, control: Control | None = None
    ) -> Tensor:
        """Return the prediction, (B, C, h, w)."""
        call = DenoiserCall(x, t, condition, control)
        outputs = []
        for start in range(0, call.rows, self._rows):
            rows = torch.arange(start, start + self._rows, device=x.device)
            rows = rows.clamp_max(call.rows - 1)
            outputs.append(select_rows(call, rows).run(self._denoiser))
        return torch.cat(outputs)[: call.rows]
