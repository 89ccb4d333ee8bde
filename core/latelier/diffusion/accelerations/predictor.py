"""The predictor of an accelerated run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition
from latelier.contracts.configs import DenoiserConfig
from latelier.contracts.sampling import Estimate, Predict


@dataclass(frozen=True, eq=False)
class AcceleratedPredictor:
    """A predictor whose estimates an acceleration makes.

    Attributes:
        predict: the exact one.
        estimate: of the acceleration.
    """

    predict: Predict
    estimate: Estimate

    @property
    def config(self) -> DenoiserConfig:
        """The denoiser's configuration."""
        return self.predict.config

    def decode(self, latents: Tensor) -> Tensor:
        """Return the images of latents; see `Predict.decode`."""
        return self.predict.decode(latents)

    def condition_for(self, value: Any) -> Condition:
        """Return the condition with another value; see `Predict.condition_for`."""
        return self.predict.condition_for(value)

    def __call__(
        self,
        x: Tensor,
        sigma: float | Tensor,
        conditions: Sequence[Condition],
        control: Control | None = None,
    ) -> list[Tensor]:
        """Return one estimate of x0 (B, C, h, w) for each condition."""
        return self.estimate(x, sigma, conditions, control)
