"""Configuration and input of the conditioner of reference pictures."""

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from latelier.contracts.bounds import Side, Width, check_width
from latelier.contracts.configs import ConditionerConfig, OutputSpec
from latelier.contracts.frozen import Frozen
from latelier.contracts.images.references import Reference

PLACE_WIDTH = 16
"""Numbers of a token that tell its place in the picture."""


class ReferencesConfig(ConditionerConfig):
    """Up to a few pictures of objects, as tokens of the latents of the first stage."""

    latent_channels: Width = Field(description="channels of the first stage's latents")
    max_references: int = Field(default=3, ge=1, le=16, description="pictures that fit")
    size: Side = Field(default=128, description="side of a reference, which is resized to it")
    patch: int = Field(default=2, ge=1, le=64, description="side of the latents of one token")

    def outputs(self) -> OutputSpec:
        return OutputSpec(stream=self.width)

    @property
    def width(self) -> int:
        """Numbers of a token: a patch of latents and alpha, its place, and its slot."""
        return self.patch**2 * (self.latent_channels + 1) + PLACE_WIDTH + self.max_references

    @property
    def reference_role(self) -> Literal["pictures"]:
        return "pictures"

    def input_schema(self, schema: dict[str, Any], /) -> dict[str, Any]:
        schema["properties"]["pictures"]["maxItems"] = self.max_references
        return schema

    @model_validator(mode="after")
    def _check_width(self) -> Self:
        check_width("the width of a token", self.width)
        return self


def _to_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


Pictures: TypeAlias = Annotated[tuple[Reference, ...], BeforeValidator(_to_list)]
"""A list of references, or one alone."""


class References(Frozen):
    """Pictures of the objects to draw.

    They are in the order of their slots "#1", "#2" ...
    """

    pictures: Pictures = Field(  # samples of the data may show nothing
        description="pictures of the objects to draw, as files, images or data URIs, or their "
        "names or numbers in the database of the model"
    )
