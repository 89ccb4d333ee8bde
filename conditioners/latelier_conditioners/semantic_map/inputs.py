"""What the semantic-map conditioner is configured with and what a person gives it."""

from typing import Self

from pydantic import Field, model_validator

from latelier.contracts.configs import ConditionerConfig, OutputSpec
from latelier.contracts.frozen import Frozen
from latelier.contracts.image_types import SemanticMap
from latelier.contracts.inputs import Color


class SemanticMapConfig(ConditionerConfig):
    """Labels, one-hot and rescaled to latent size by halvings."""

    num_classes: int = Field(ge=1, description="labels, numbered from 0")
    n_stages: int = Field(ge=0, description="halvings from picture size to latent size")
    out_channels: int | None = Field(
        default=None,
        ge=1,
        description="channels that a learnt 1x1 convolution gives; None: one for each label",
    )
    names: tuple[str, ...] = Field(
        default=(), description="names of all the labels, in order, for those who paint"
    )
    colors: tuple[Color, ...] = Field(
        default=(),
        description="colours of all the labels, in order; with them colour images and palette "
        "images are read by colour, exactly",
    )

    def outputs(self) -> OutputSpec:
        """Return the slots that it fills."""
        return OutputSpec(stream=None, spatial=self.out_channels or self.num_classes, vector=None)

    @model_validator(mode="after")
    def _check_lists(self) -> Self:
        for field, values in (("names", self.names), ("colors", self.colors)):
            if values and len(values) != self.num_classes:
                raise ValueError(f"{len(values)} {field} for num_classes={self.num_classes}")
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"several labels have '{twice[0]}' in {field}")
        return self


class Semantics(Frozen):
    """A semantic map."""

    map: SemanticMap = Field(
        description="what is where: an image whose grey levels or palette indices are the labels, "
        "or of the model's colours; as large as the picture, or of its aspect"
    )
