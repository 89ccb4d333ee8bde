"""Configuration and input of the class-label conditioner."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from latelier.contracts.bounds import Rows, Width
from latelier.contracts.configs import ConditionerConfig, OutputSpec
from latelier.contracts.frozen import Frozen
from latelier_conditioners.common.labels import Label, check_names, label_schema


class ClassLabelConfig(ConditionerConfig):
    """A table of learnt vectors, one for each class and one for no class."""

    num_classes: Rows = Field(ge=1, description="number of classes, without the null class")
    width: Width = Field(description="width of the vectors")
    slot: Literal["stream", "vector"] = Field(
        default="stream",
        description="stream: one cross-attended token; vector: added to the timestep embedding",
    )
    null_class: bool = Field(
        default=True,
        description="add a row for no class; without it, no class contributes nothing",
    )
    names: tuple[str, ...] = Field(default=(), description="names of all the classes, in order")

    def outputs(self) -> OutputSpec:
        return OutputSpec(**{self.slot: self.width})

    def input_schema(self, schema: dict[str, Any], /) -> dict[str, Any]:
        schema["properties"]["label"] |= label_schema(self.names, self.num_classes)
        return schema

    def vocabulary(self, _assets: Mapping[str, bytes], /) -> Sequence[str]:
        return self.names

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        check_names(self.names, self.num_classes)
        return self


class ClassLabel(Frozen):
    """What the picture should show, chosen from a list."""

    label: Label = Field(description="number, from 0, or name if the model has names")

    @field_validator("label")
    @classmethod
    def _not_negative(cls, label: int | str) -> int | str:
        if isinstance(label, int) and label < 0:
            raise ValueError("classes are numbered from 0")
        return label
