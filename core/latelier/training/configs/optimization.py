"""The configuration of the optimizer."""

from typing import Literal

from pydantic import Field

from latelier.contracts.frozen import Frozen

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
"""Lightning Fabric's names. Weights are float32 in all; `mixed` computes in 16 bits."""


class OptimizerConfig(Frozen):
    """AdamW (arXiv:1711.05101) with linear warm-up and cosine decay."""

    lr: float = Field(default=1e-4, gt=0, description="peak learning rate")
    final_lr: float = Field(
        default=0.05, ge=0, le=1, description="last learning rate, in units of lr"
    )
    warmup: int = Field(default=500, ge=0, description="steps of linear warm-up")
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float = Field(default=1.0, gt=0, description="largest norm of the gradient")
