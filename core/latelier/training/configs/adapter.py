"""The configuration of adapter training."""

from typing import Any

from pydantic import Field
from typing_extensions import override

from latelier.denoisers.configs import ProjectionConfig
from latelier.training.configs.components import ConditionerChoice, InputSource
from latelier.training.configs.denoiser import PredictionTraining


class AdapterTraining(PredictionTraining):
    """An adapter and its conditioner for the denoiser of a finished model."""

    model: str = Field(description="embedded name or folder of the model; it stays frozen")
    name: str = Field(description="name of the adapter, and of the input that it adds")
    conditioner: ConditionerChoice = Field(description="gives the stream that the adapter takes")
    projection: ProjectionConfig | None = Field(
        default=None, description="projects the stream to other tokens; null: none"
    )
    inputs: dict[str, InputSource] = Field(
        default_factory=dict,
        description="the model's own inputs that training provides; the others are null",
    )
    drop_all: float = Field(
        default=0.05, ge=0, le=1, description="probability of dropping all inputs at once"
    )
    description: str = Field(default="", description="one line, stored with the adapter")
    card: dict[str, Any] = Field(
        default_factory=dict, description="facts about it: data, licence, measurements"
    )

    @override
    def locate_first_stage(self) -> tuple[str, str]:
        return "model", self.model
