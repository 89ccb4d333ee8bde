"""The configuration of the optimizer, its learning rate, and the averages of the weights."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from latelier.contracts.frozen import Frozen

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
"""Lightning Fabric's names. Weights are float32 in all; `mixed` computes in 16 bits."""


_Decay = Annotated[float, Field(ge=0, lt=1)]


class OptimizerConfig(Frozen):
    """An optimizer of all trained parameters."""

    name: str = Field(
        default="adamw",
        description="adamw (arXiv:1711.05101), muon (arXiv:2502.16982), or the dotted path of a "
        "torch optimizer, such as torch.optim.NAdam",
    )
    lr: float = Field(
        default=1e-4,
        gt=0,
        le=10,
        description="peak learning rate; absolute, whatever the batch size and number of devices",
    )
    betas: tuple[_Decay, _Decay] = Field(
        default=(0.9, 0.99), description="decay of the two moments of adamw"
    )
    momentum: float = Field(default=0.95, ge=0, lt=1, description="decay of the momentum of muon")
    weight_decay: float = Field(
        default=0.01, ge=0, le=10, description="decay of the weights, times the learning rate"
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="further keyword arguments of the optimizer"
    )
    clip: float = Field(default=1.0, gt=0, description="largest norm of the gradient")


class Constant(Frozen):
    """Linear warm-up to a constant rate."""

    kind: Literal["constant"] = "constant"
    warmup: int = Field(default=500, ge=0, description="steps of linear warm-up")


class Cosine(Frozen):
    """Linear warm-up, then half a cosine to the last step (arXiv:1608.03983)."""

    kind: Literal["cosine"] = "cosine"
    warmup: int = Field(default=500, ge=0, description="steps of linear warm-up")
    final: float = Field(default=0.05, ge=0, le=1, description="last rate as a share of the peak")


class WarmupStableDecay(Frozen):
    """Linear warm-up, a constant rate, and a linear decay at the end (arXiv:2404.06395).

    A run can be prolonged from the checkpoint at which the decay begins: raise `steps` and resume.
    """

    kind: Literal["wsd"] = "wsd"
    warmup: int = Field(default=500, ge=0, description="steps of linear warm-up")
    decay: float = Field(default=0.2, ge=0, le=1, description="share of the steps that decay")
    final: float = Field(default=0.0, ge=0, le=1, description="last rate as a share of the peak")


ScheduleConfig = Annotated[WarmupStableDecay | Cosine | Constant, Field(discriminator="kind")]
"""How the learning rate changes over a run."""

_Length = Annotated[float, Field(gt=0, le=0.28)]


class EmaConfig(Frozen):
    """Power-function averages of the weights (Karras et al. 2023, arXiv:2312.02696).

    An average of length 0.1 weighs the last tenth of the run most, however long the run is.
    """

    lengths: tuple[_Length, ...] = Field(
        default=(0.05, 0.10),
        min_length=1,
        max_length=4,
        description="relative lengths (standard deviation over time) of the averages; the first "
        "one is validated, drawn and exported",
    )
    snapshots: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="number of stored snapshots of the averages, spread over the run, from which "
        "`latelier train ... --average LENGTH` makes an average of another length",
    )

    @field_validator("lengths")
    @classmethod
    def _check_distinct(cls, lengths: tuple[float, ...]) -> tuple[float, ...]:
        if len({f"{length:g}" for length in lengths}) < len(lengths):  # their names in checkpoints
            raise ValueError(f"expected lengths that differ in six digits, got {list(lengths)}")
        return lengths
