"""The configuration of denoiser training."""

from typing import Any

from pydantic import Field

from latelier.training.configs.components import (
    ComponentChoice,
    ConditionerChoice,
)
from latelier.training.configs.training import Training


class PredictionTraining(Training):
    """The fields of trainings on a denoiser's predictions."""

    gradient_checkpointing: bool = Field(
        default=False,
        description="recompute the denoiser's activations in the backward pass: far less memory "
        "for about a third more time",
    )
    drop_all: float = Field(
        default=0.0, ge=0, le=1, description="probability of dropping all inputs at once"
    )
    fit_samples: int = Field(
        default=20_000, ge=1, description="training samples that conditioners are fitted on"
    )


class DenoiserTraining(PredictionTraining):
    """Stage two: a denoiser and its conditioners on the latents of a trained first stage."""

    first_stage: str = Field(description="component folder, or a model that has the first stage")
    start_from: str | None = Field(
        default=None, description="model that provides the initial weights"
    )
    denoiser: ComponentChoice
    conditioners: dict[str, ConditionerChoice] = Field(default_factory=dict)
    process: dict[str, Any] = Field(description="noise process: its kind and fields")
    defaults: dict[str, Any] = Field(
        default_factory=dict,
        description="the pipeline's defaults: steps, sampler, schedule, guidance",
    )
    description: str = Field(default="", description="one line, stored with the pipeline")
