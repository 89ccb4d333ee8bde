"""The loss of a denoiser: the weights of noise levels and of pixels."""

from typing import Annotated, Literal

from pydantic import Field

from latelier.contracts.frozen import Frozen
from latelier.diffusion.processes.prediction import PredictionType


class UniformWeight(Frozen):
    """Weight 1 for the squared error of one kind of prediction."""

    kind: Literal["uniform"] = "uniform"
    space: PredictionType | None = Field(
        default=None,
        description="what the error is of: eps, x0, v or flow, whatever the network predicts; "
        "null: what the network predicts",
    )


class MinSnrWeight(Frozen):
    """min(SNR, gamma) for the squared error of x0 (Hang et al., arXiv:2303.09556)."""

    kind: Literal["min_snr"] = "min_snr"
    gamma: float = Field(default=5.0, gt=0, le=1e9, description="the greatest weight")


class EdmWeight(Frozen):
    """(s^2 + d^2) / (s d)^2 for the squared error of x0 (Karras et al., arXiv:2206.00364).

    s is sigma / alpha. An 'edm' process with the same d has it already with a uniform weight.
    """

    kind: Literal["edm"] = "edm"
    sigma_data: float = Field(
        default=1.0, gt=0, le=1e9, description="d, the deviation of the latents"
    )


class VelocityWeight(Frozen):
    """Weight 1 for the squared error of the velocity eps - x0, clipped at low noise.

    It trains a network that predicts x0 (arXiv:2605.27102). Its velocity is (x - x0) / level, so
    the squared error of x0 has the weight 1 / max(level, clip)^2.
    """

    kind: Literal["velocity"] = "velocity"
    clip: float = Field(
        default=0.05, ge=0, le=1, description="the weight is constant below this noise level"
    )


WeightConfig = Annotated[
    UniformWeight | MinSnrWeight | EdmWeight | VelocityWeight, Field(discriminator="kind")
]
"""A weight of noise levels."""


class UncertaintyConfig(Frozen):
    """A learned log-variance for each noise level (Karras et al., arXiv:2312.02696, eq. 14)."""

    channels: int = Field(
        default=128, ge=1, le=4096, description="Fourier features of the noise level"
    )


class LossConfig(Frozen):
    """A weighted squared error."""

    weight: WeightConfig = UniformWeight()
    uncertainty: UncertaintyConfig | None = Field(
        default=None,
        description="balances the noise levels by a learned log-variance; null: as weighted",
    )
    unmasked_weight: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="weight of the error outside of a sample's mask, where the mask is black; "
        "inside it is 1. null: masks do not count",
    )
