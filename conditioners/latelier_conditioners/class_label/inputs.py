"""What the class-label conditioner is configured with and what a person gives it."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from latelier.contracts.configs import ConditionerConfig, OutputSpec
from latelier.contracts.frozen import Frozen
from latelier_conditioners.class_label.names import Label, check_names


class ClassLabelConfig(ConditionerConfig):
    """A table of learnt vectors, one for each class and one for no class."""

    num_classes: int = Field(ge=1, description="classes; the null class is not counted")
    width: int = Field(ge=1, description="width of the vectors")
    slot: Literal["stream", "vector"] = Field(
        default="stream",
        description="stream: one cross-attended token; vector: added to the timestep",
    )
    null_class: bool = Field(
        default=True,
        description="the table has one row more, for no class; without it no class is no vector",
    )
    names: tuple[str, ...] = Field(default=(), description="names of all the classes, in order")

    def outputs(self) -> OutputSpec:
        """Return the slots that it fills."""
        stream, vector = (self.width, None) if self.slot == "stream" else (None, self.width)
        return OutputSpec(stream=stream, spatial=None, vector=vector)

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        check_names(self.names, self.num_classes)
        return self


class ClassLabel(Frozen):
    """A class."""

    label: Label = Field(description="its number, from 0, or its name where the model has names")

    @field_validator("label")
    @classmethod
    def _not_negative(cls, label: int | str) -> int | str:
        if isinstance(label, int) and label < 0:
            raise ValueError("classes are numbered from 0")
        return label
