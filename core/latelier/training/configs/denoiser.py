"""The configuration of denoiser training."""

from abc import abstractmethod
from typing import Annotated, Any

from pydantic import Field, model_validator
from typing_extensions import override

from latelier.contracts.frozen import Frozen
from latelier.pipeline.storage.sources import DEFAULT_FIRST_STAGE
from latelier.training.configs.components import ComponentChoice
from latelier.training.configs.conditioned import ConditionedTraining
from latelier.training.configs.loss import LossConfig
from latelier.training.configs.noise import NoiseConfig

_Level = Annotated[float, Field(gt=0, le=1)]


class ValidationConfig(Frozen):
    """Validation on held-out samples at fixed noise levels."""

    samples: int = Field(
        default=128, ge=1, le=16_384, description="held-out samples; sample sheets show the first"
    )
    levels: tuple[_Level, ...] = Field(
        default=(0.1, 0.2, 0.3, 0.5, 0.7, 0.9),
        min_length=1,
        max_length=32,
        description="noise levels sigma / (alpha + sigma)",
    )


class PredictionTraining(ConditionedTraining):
    """The fields of trainings on a denoiser's predictions."""

    noise: NoiseConfig | None = Field(
        default=None,
        description="density of the noise levels; null: 0.6 uniform and 0.4 logit_normal(1.2, 1) "
        "for 'rectified_flow', steps for 'vp', log_normal(-1.2, 1.2) for 'edm'",
    )
    loss: LossConfig = LossConfig()
    validation: ValidationConfig = ValidationConfig()
    gradient_checkpointing: bool = Field(
        default=False,
        description="recompute the denoiser's activations in the backward pass: far less memory "
        "for about a third more time",
    )
    fit_samples: int = Field(
        default=20_000, ge=1, description="training samples that conditioners are fitted on"
    )

    @abstractmethod
    def locate_first_stage(self) -> tuple[str, str]:
        """Return the field that names the first stage or a model that has it, and the name."""


class ConditionerTraining(Frozen):
    """A conditioner to train, new or of the model that training starts from."""

    id: str | None = Field(
        default=None,
        description="bare or full id, such as 'text'; null: the conditioner of start_from",
    )
    config: dict[str, Any] = Field(default_factory=dict, description="fields of its config")
    source: str | None = Field(
        default=None,
        description="field of a data sample, such as 'prompt'; null: named as the model's input",
    )
    input: str | None = Field(
        default=None,
        description="name of the model's input; null: that of start_from, or else of the source",
    )
    drop: float = Field(
        default=0.1, ge=0, le=1, description="probability that the null part replaces it"
    )
    frozen: bool = Field(default=False, description="keep its weights as they are")

    @model_validator(mode="after")
    def _check_new(self) -> "ConditionerTraining":
        if self.id is None and self.config:
            raise ValueError("a config needs the id of the conditioner that it is for")
        if self.id is not None and self.source is None:
            raise ValueError("a new conditioner needs a source, the field of a data sample")
        return self


class DenoiserTraining(PredictionTraining):
    """Stage two: a denoiser and its conditioners on the latents of a trained first stage.

    With `start_from` the whole model is fine-tuned: what is left out is that model's, and what is
    configured takes its weights, which must fit.
    """

    start_from: str | None = Field(
        default=None, description="embedded name or folder of a model to start from"
    )
    first_stage: str | None = Field(
        default=None,
        description="component folder, or a model that has the first stage; null: that of "
        "start_from, or else of the embedded model",
    )
    denoiser: ComponentChoice | None = Field(
        default=None, description="the denoiser to build; null: that of start_from"
    )
    conditioners: dict[str, ConditionerTraining] = Field(
        default_factory=dict,
        description="by the names under which the denoiser takes them; without `denoiser`, those "
        "of start_from that are not named stay as they are",
    )
    process: dict[str, Any] | None = Field(
        default=None,
        description="noise process: its kind and fields; null: that of start_from, or else a "
        "rectified flow",
    )
    defaults: dict[str, Any] = Field(
        default_factory=dict,
        description="the pipeline's defaults: steps, sampler, schedule, guidance",
    )
    description: str = Field(default="", description="one line, stored with the pipeline")

    @override
    def locate_first_stage(self) -> tuple[str, str]:
        if self.first_stage is None and self.start_from is not None:
            return "start_from", self.start_from
        return "first_stage", self.first_stage or DEFAULT_FIRST_STAGE

    @model_validator(mode="after")
    def _check_start(self) -> "DenoiserTraining":
        if self.start_from is not None:
            return self
        if self.denoiser is None:
            raise ValueError(
                "the field 'denoiser' is required: name a denoiser to build, or a model in "
                "'start_from'"
            )
        for name, choice in self.conditioners.items():
            if choice.id is None:
                raise ValueError(
                    f"the field 'conditioners.{name}.id' is required: without 'start_from' there "
                    "is no conditioner to take"
                )
        return self
