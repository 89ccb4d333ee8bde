"""Configuration and input of the super-resolution conditioner."""

from typing import Literal

from pydantic import Field

from latelier.contracts.bounds import Side
from latelier.contracts.configs import OutputSpec, SpatialConfig
from latelier.contracts.frozen import Frozen
from latelier.contracts.images.types import Image


class ImageConfig(SpatialConfig):
    """The pixels of a low-resolution image, at latent size."""

    factor: Side = Field(default=4, description="picture side / image side")
    patch: int = Field(
        default=1,
        ge=1,
        le=64,
        description="side of the square of pixels that one cell of the latents has as channels; "
        "nothing is lost if it is the downsampling of the first stage / factor",
    )
    degradation: Literal["bsr_light", "bicubic"] = Field(
        default="bsr_light",
        description="how training degrades a picture to the image: bsr_light by random blur, "
        "noise, resizing and JPEG; bicubic by resizing alone",
    )

    def outputs(self) -> OutputSpec:
        return OutputSpec(spatial=self.channels)

    @property
    def knows_pixels(self) -> bool:
        """Whether the image is an exact reduction: a noisy one says nothing of pixels."""
        return self.degradation == "bicubic"

    @property
    def channels(self) -> int:
        """Red, green and blue of each pixel of a patch."""
        return 3 * self.patch**2


class LowResolution(Frozen):
    """A small picture that is drawn again with more detail.

    Training gives the picture itself, and `augment` degrades it.
    """

    image: Image = Field(description="the image to enlarge")
