"""The configuration of the training of a conditional decoder."""

from typing import Self

from pydantic import Field, model_validator

from latelier.first_stages.configs import ConditionalDecoderConfig
from latelier.pipeline.request import GuidanceOptions
from latelier.training.configs.components import InputSource, TermName
from latelier.training.configs.conditioned import ConditionedTraining
from latelier.training.configs.first_stage import PerceptualConfig, Weight


class ConditionalDecoderTraining(ConditionedTraining):
    """A conditional decoder for a finished model, whose other weights stay the same.

    It learns to make pictures of what the model's decoder makes of them after the model has noised
    and denoised them, with what inputs know of their pixels (Zhu et al., arXiv:2306.04632).
    """

    model: str = Field(
        description="embedded name or folder of the model, which the result is a copy of"
    )
    conditional_decoder: ConditionalDecoderConfig | None = Field(
        default=None, description="the one to train; null: the model has one, and it is trained on"
    )
    inputs: dict[str, InputSource] | None = Field(
        default=None,
        description="the model's inputs that training provides; null: those that data samples "
        "have a field for. The others are null",
    )
    drop_all: float = Field(
        default=0.05, ge=0, le=1, description="probability of dropping all inputs at once"
    )
    denoising_steps: int = Field(
        default=10, ge=1, le=1000, description="steps of the model from pure noise"
    )
    strength: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="greatest share of these steps that a picture goes through, as in image to "
        "image; their number is uniform between 0, no noise at all, and that",
    )
    guidance: GuidanceOptions | None = Field(
        default=None, description="guidance of the model; null: its default"
    )
    terms: dict[TermName, Weight] = Field(
        default={"absolute": 1.0, "squared": 2.0, "edges": 0.5},
        description="weight of each term of the loss, a mean over pixels",
    )
    perceptual: PerceptualConfig | None = None
    validation_images: int = Field(default=64, ge=1, description="held-out images of a validation")

    @property
    def most_steps(self) -> int:
        """Greatest number of steps that a picture goes through."""
        return round(self.strength * self.denoising_steps)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not any(self.terms.values()) and self.perceptual is None:
            raise ValueError("terms: give at least one of them a weight, or add perceptual")
        if self.data.cache is not None:
            raise ValueError("data.cache holds latents, and pictures are compared by their pixels")
        return self
