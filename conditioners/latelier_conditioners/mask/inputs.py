"""What the inpainting conditioner is configured with and what a person gives it."""

from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from latelier.contracts.configs import ConditionerConfig, OutputSpec
from latelier.contracts.frozen import Frozen
from latelier.contracts.image_types import Image, Mask

WHITE = 128
"""Grey levels from this one are repainted, those below are kept."""

Share = Annotated[float, Field(gt=0, lt=1)]


class MaskConfig(ConditionerConfig):
    """The masked image as latents, and the mask.

    The defaults are those of Stable Diffusion's inpainting models. The paper's has
    `mask_first=False, mask_values=(-1, 1), hole_value=-1`.
    """

    latent_channels: int = Field(ge=1, description="channels of the first stage's latents")
    mask_first: bool = Field(
        default=True, description="whether the mask's channel stands before the latents'"
    )
    mask_values: tuple[float, float] = Field(
        default=(0.0, 1.0), description="value of the mask where it keeps, and where it repaints"
    )
    hole_value: float = Field(
        default=0.0, ge=-1, le=1, description="value of the pixels in the hole, in -1..1"
    )
    drawn_share: tuple[Share, Share] = Field(
        default=(0.1, 0.6), description="bounds of the repainted share in masks drawn for training"
    )

    def outputs(self) -> OutputSpec:
        """Return the slots that it fills."""
        return OutputSpec(stream=None, spatial=self.latent_channels + 1, vector=None)

    @model_validator(mode="after")
    def _check_share(self) -> Self:
        low, high = self.drawn_share
        if high - low < 0.05:
            raise ValueError(f"drawn_share must rise by 0.05 at least, not from {low} to {high}")
        return self


class Inpainting(Frozen, json_schema_extra={"required": ["image", "mask"]}):
    """A picture and what of it is repainted. Training may leave the mask out: it draws its own."""

    image: Image = Field(description="the picture")
    mask: Mask = Field(
        default=None,
        description="as large as the picture: white (255, or 1 in a mask of 0 and 1) is "
        "repainted, black (0) is kept; greys go to the nearer of the two",
    )

    @field_validator("mask")
    @classmethod
    def _repaints(cls, mask: Any) -> Any:
        black_white = mask.point([0] * WHITE + [255] * (256 - WHITE))
        if black_white.getextrema()[1] == 0:
            raise ValueError(
                "the mask keeps everything, there is nothing to repaint: white is repainted, "
                "black is kept; invert it if it was meant the other way round"
            )
        return black_white

    @model_validator(mode="after")
    def _same_size(self) -> Self:
        if self.mask is not None and self.mask.size != self.image.size:
            raise ValueError(
                "the mask is {}x{} and the image {}x{}; they must be of one size".format(
                    *self.mask.size, *self.image.size
                )
            )
        return self
