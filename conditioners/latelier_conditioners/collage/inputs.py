"""Configuration and input of the conditioner of collages."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from latelier.contracts.bounds import Width
from latelier.contracts.configs import OutputSpec, SpatialConfig
from latelier.contracts.inputs import Box
from latelier_conditioners.references.inputs import References

BACKDROPS = (0.0, -1.0, 1.0)
"""Levels in [-1, 1] of the greys that a collage is encoded over."""

Degrees = Annotated[float, Field(ge=-180, le=180)]


class CollageConfig(SpatialConfig):
    """Pictures of objects, each in a box of the picture, as the latents of their collage."""

    latent_channels: Width = Field(description="channels of the first stage's latents")
    max_references: int = Field(default=3, ge=1, le=16, description="pictures that fit")

    def outputs(self) -> OutputSpec:
        return OutputSpec(spatial=self.channels)

    @property
    def channels(self) -> int:
        """Channels of the spatial part: latents over each of `BACKDROPS`, and alpha."""
        return len(BACKDROPS) * self.latent_channels + 1

    @property
    def knows_pixels(self) -> bool:
        return True

    @property
    def reference_role(self) -> Literal["placed_pictures"]:
        return "placed_pictures"

    def input_schema(self, schema: dict[str, Any], /) -> dict[str, Any]:
        schema["properties"]["pictures"]["maxItems"] = self.max_references
        return schema


class Collage(References):
    """Pictures of the objects to draw, and their places.

    They are in the order of their slots "#1", "#2" ...
    """

    boxes: tuple[Box, ...] | None = Field(
        default=None,
        description="place of each picture; without boxes the words of the prompt and the seed "
        "decide, also about turns and mirroring",
    )
    turns: tuple[Degrees, ...] | None = Field(
        default=None,
        description="degrees by which each picture is turned, counter-clockwise; 0 by default",
    )
    mirrored: tuple[bool, ...] | None = Field(
        default=None, description="whether each picture is mirrored left to right"
    )

    @model_validator(mode="after")
    def _check_counts(self) -> Self:
        count = len(self.pictures)
        for name in ("boxes", "turns", "mirrored"):
            values = getattr(self, name)
            if values is not None and len(values) != count:
                raise ValueError(
                    f"there are {len(values)} {name} for {count} pictures; give one for each"
                )
        return self
