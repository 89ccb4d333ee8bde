"""The fields of trainings that give conditions to a denoiser."""

from typing import Self

from pydantic import Field, model_validator

from latelier.training.configs.training import Training


class ConditionedTraining(Training):
    """The fields that say how often a training drops its inputs."""

    drop_all: float = Field(
        default=0.0, ge=0, le=1, description="probability of dropping all inputs at once"
    )
    keep_one: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="probability of keeping one input, chosen uniformly, and dropping the others",
    )

    @model_validator(mode="after")
    def _check_probabilities(self) -> Self:
        if self.drop_all + self.keep_one > 1:
            raise ValueError(
                f"drop_all and keep_one exclude each other; expected a sum of at most 1, got "
                f"{self.drop_all + self.keep_one:g}"
            )
        return self
