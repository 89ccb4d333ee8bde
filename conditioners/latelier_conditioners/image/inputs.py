"""What the super-resolution conditioner is configured with and what a person gives it."""

from typing import Literal

from pydantic import Field

from latelier.contracts.configs import ConditionerConfig, OutputSpec
from latelier.contracts.frozen import Frozen
from latelier.contracts.image_types import Image

CHANNELS = 3
"""Red, green, blue."""


class ImageConfig(ConditionerConfig):
    """The pixels of a low-resolution image, at latent size."""

    factor: int = Field(default=4, ge=1, description="picture side / image side")
    degradation: Literal["bsr_light", "bicubic"] = Field(
        default="bsr_light",
        description="how training makes the image from the picture: by random blur, noise, "
        "resizing and JPEG, or by bicubic resizing alone",
    )

    def outputs(self) -> OutputSpec:
        """Return the slots that it fills."""
        return OutputSpec(stream=None, spatial=CHANNELS, vector=None)


class LowResolution(Frozen):
    """An image to enlarge. In training it is the picture itself."""

    image: Image = Field(description="the image to enlarge")
