"""Configuration and input of the semantic-map conditioner."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from latelier.contracts.bounds import Levels, Rows, Width
from latelier.contracts.configs import OutputSpec, SpatialConfig
from latelier.contracts.frozen import Frozen
from latelier.contracts.images.types import SemanticMap
from latelier.contracts.inputs import Color


class SemanticMapConfig(SpatialConfig):
    """One-hot labels, halved to latent size."""

    num_classes: Rows = Field(ge=1, description="number of labels, which count from 0")
    n_stages: Levels = Field(ge=0, description="halvings from picture size to latent size")
    out_channels: Width | None = Field(
        default=None,
        description="output channels of a learnt 1x1 convolution; None: no convolution, one "
        "channel for each label",
    )
    names: tuple[str, ...] = Field(
        default=(), description="names of all labels, in order, for painting tools"
    )
    colors: tuple[Color, ...] = Field(
        default=(),
        description="colours of all labels, in order; if set, colour and palette images are read "
        "by exact colour",
    )

    def outputs(self) -> OutputSpec:
        return OutputSpec(spatial=self.out_channels or self.num_classes)

    def input_schema(self, schema: dict[str, Any], /) -> dict[str, Any]:
        """Return the schema with "labels" of the map: each has a value, and a name and a color."""
        names = [{"name": name} for name in self.names] or [{}] * self.num_classes
        colors = [{"color": color} for color in self.colors] or [{}] * self.num_classes
        schema["properties"]["map"]["labels"] = [
            {"value": value, **name, **color}
            for value, (name, color) in enumerate(zip(names, colors, strict=True))
        ]
        return schema

    @property
    def reference_role(self) -> Literal["map"]:
        return "map"

    def vocabulary(self, _assets: Mapping[str, bytes], /) -> Sequence[str]:
        return self.names

    @model_validator(mode="after")
    def _check_lists(self) -> Self:
        for field, values in (("names", self.names), ("colors", self.colors)):
            if values and len(values) != self.num_classes:
                raise ValueError(f"{len(values)} {field} for num_classes={self.num_classes}")
            duplicates = sorted({value for value in values if values.count(value) > 1})
            if duplicates:
                raise ValueError(f"several labels have '{duplicates[0]}' in {field}")
        return self


class SemanticMapInput(Frozen):
    """What should be where, painted as areas with labels."""

    map: SemanticMap = Field(
        description="an image whose grey levels or palette indices are the labels, or whose "
        "colours are those of the model; it has the size of the picture, or its aspect"
    )
