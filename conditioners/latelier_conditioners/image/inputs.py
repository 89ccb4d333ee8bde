"""Configuration and input of the super-resolution conditioner."""

from typing import Literal

from pydantic import Field

from latelier.contracts.bounds import Side
from latelier.contracts.configs import ConditionerConfig, OutputSpec
from latelier.contracts.frozen import Frozen
from latelier.contracts.images.types import Image

CHANNELS = 3
"""Red, green, blue."""


class ImageConfig(ConditionerConfig):
    """The pixels of a low-resolution image, at latent size."""

    factor: Side = Field(default=4, description="picture side / image side")
    degradation: Literal["bsr_light", "bicubic"] = Field(
        default="bsr_light",
        description="how training degrades a picture to the image: bsr_light by random blur, "
        "noise, resizing and JPEG; bicubic by resizing alone",
    )

    def outputs(self) -> OutputSpec:
        return OutputSpec(spatial=CHANNELS)


class LowResolution(Frozen):
    """An image to enlarge. Training gives the picture itself, and `augment` degrades it."""

    image: Image = Field(description="the image to enlarge")
