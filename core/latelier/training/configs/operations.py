"""The configuration of how a training is operated."""

from pydantic import Field

from latelier.contracts.frozen import Frozen


class KeepConfig(Frozen):
    """Which checkpoints are kept."""

    last: int = Field(default=2, ge=1, le=1000, description="number of the latest")
    best: int = Field(
        default=1,
        ge=0,
        le=1000,
        description="number of those with the lowest first metric of validation",
    )
    every: int | None = Field(
        default=None,
        ge=1,
        le=2**31,
        description="interval in steps of checkpoints that are always written and kept; null: none",
    )


class FaultConfig(Frozen):
    """When a step is skipped, and when the run stops.

    A step is skipped if its loss or gradient is not finite, or if its loss explodes: it is more
    than `max_loss_ratio` times the running mean of the loss's absolute value.
    """

    max_loss_ratio: float = Field(
        default=100.0, gt=1, le=1e9, description="ratio at which a loss counts as exploded"
    )
    max_bad_steps: int = Field(
        default=20, ge=1, le=10_000, description="skipped steps in a row after which the run stops"
    )
