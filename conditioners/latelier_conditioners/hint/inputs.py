"""Configuration and input of the hint conditioner."""

from typing import Literal

from pydantic import Field

from latelier.contracts.configs import OutputSpec, SpatialConfig
from latelier.contracts.frozen import Frozen
from latelier.contracts.images.types import Image


class HintConfig(SpatialConfig):
    """The pixels of a picture of the same size, at latent size."""

    patch: int = Field(
        default=8,
        ge=1,
        le=64,
        description="side of the square of pixels that one cell of the latents has as channels: "
        "the downsampling of the first stage",
    )
    absence: Literal["untrained", "trained", "guided"] = Field(
        default="trained",
        description="guided: guidance compares with no hint, the 'guess mode' of ControlNet; "
        "otherwise the hint also acts on the negative side",
    )

    def outputs(self) -> OutputSpec:
        return OutputSpec(spatial=3 * self.patch**2 + 1)


class Hint(Frozen):
    """A picture of what should be where: edges, depth, a pose, a sketch."""

    image: Image = Field(
        description="cropped around its centre to the aspect of the picture, and resized"
    )
