"""The configuration of a distillation into few steps."""

from pydantic import Field, model_validator

from latelier.pipeline.request import GuidanceOptions
from latelier.training.configs.lora import LoraTraining


class DistillationTraining(LoraTraining):
    """A LoRA with which a model needs few steps and no guidance (arXiv:2202.00512).

    The model is the teacher: it samples with its own sampler, schedule and guidance.
    """

    name: str = Field(
        default="few_steps", pattern=r"^[^\W\d]\w*$", description="name of the LoRA in pipelines"
    )
    student_steps: int = Field(default=4, ge=1, le=64, description="steps with the LoRA")
    teacher_steps: int = Field(
        default=20, ge=2, le=1000, description="steps of the model that these stand for"
    )
    guidance: GuidanceOptions | None = Field(
        default=None, description="guidance of the model; null: its default"
    )

    @model_validator(mode="after")
    def _check_steps(self) -> "DistillationTraining":
        if self.teacher_steps <= self.student_steps:
            raise ValueError(
                f"expected more teacher_steps than student_steps, got {self.teacher_steps} and "
                f"{self.student_steps}"
            )
        if self.noise is not None:
            raise ValueError("distillation has the noise levels of the student's steps: no 'noise'")
        return self
