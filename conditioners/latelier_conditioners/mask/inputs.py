"""Configuration and input of the inpainting conditioner."""

from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from latelier.contracts.bounds import Width
from latelier.contracts.configs import OutputSpec, SpatialConfig
from latelier.contracts.frozen import Frozen
from latelier.contracts.images.modes import WHITE
from latelier.contracts.images.types import Image, Mask

Share = Annotated[float, Field(gt=0, lt=1)]


class MaskConfig(SpatialConfig):
    """The latents of the masked image, and the mask.

    The defaults are those of Stable Diffusion's inpainting models. The paper's has
    `mask_first=False, mask_values=(-1, 1), hole_value=-1`. A model that is also trained without a
    mask may have `mask_values=(1, 0), zero_repainted=True`.
    """

    latent_channels: Width = Field(description="channels of the first stage's latents")
    mask_first: bool = Field(
        default=True, description="put the mask's channel before those of the latents"
    )
    mask_values: tuple[float, float] = Field(
        default=(0.0, 1.0), description="values of the mask's channel: kept, repainted"
    )
    hole_value: float = Field(
        default=0.0, ge=-1, le=1, description="value of repainted pixels in the masked image"
    )
    zero_repainted: bool = Field(
        default=False,
        description="whether all channels are 0 in cells that are repainted entirely, and "
        "everywhere without an input; the mask's channel is then the kept share of each cell, and "
        "mask_values must end in 0",
    )
    drawn_share: tuple[Share, Share] = Field(
        default=(0.1, 0.6), description="range of the repainted area in random training masks"
    )

    def outputs(self) -> OutputSpec:
        return OutputSpec(spatial=self.latent_channels + 1)

    @property
    def is_inpainting(self) -> bool:
        return True

    @model_validator(mode="after")
    def _check_share(self) -> Self:
        low, high = self.drawn_share
        if high - low < 0.05:
            raise ValueError(f"drawn_share must span at least 0.05, not {low} to {high}")
        return self

    @model_validator(mode="after")
    def _check_zero(self) -> Self:
        kept, repainted = self.mask_values
        if self.zero_repainted and repainted != 0:
            raise ValueError(
                f"zero_repainted needs 0 as the value of repainted pixels, but mask_values is "
                f"({kept:g}, {repainted:g}); set mask_values to (1, 0)"
            )
        return self


class Inpainting(Frozen, json_schema_extra={"required": ["image", "mask"]}):
    """A picture, and the part of it that is repainted.

    The part is white in the mask. Training may leave the mask out.
    """

    image: Image = Field(description="the picture")
    mask: Mask = Field(
        default=None,
        description="an image of the picture's size: white (255, or 1 in a mask of 0 and 1) is "
        "repainted, black (0) is kept; a grey counts as the nearer of the two",
    )

    @field_validator("mask")
    @classmethod
    def _to_black_and_white(cls, mask: Any) -> Any:
        binary = mask.point([0] * WHITE + [255] * (256 - WHITE))
        if binary.getextrema()[1] == 0:
            raise ValueError(
                "the mask is black everywhere, so nothing is repainted: white is repainted, black "
                "is kept; invert the mask if it means the opposite"
            )
        return binary

    @model_validator(mode="after")
    def _same_size(self) -> Self:
        if self.mask is not None and self.mask.size != self.image.size:
            raise ValueError(
                "the mask is {}x{} and the image {}x{}; they must be of one size".format(
                    *self.mask.size, *self.image.size
                )
            )
        return self
