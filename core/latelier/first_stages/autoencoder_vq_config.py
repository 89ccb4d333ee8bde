"""Configuration of the vector-quantised autoencoder."""

from typing import Literal, Self

from pydantic import Field, model_validator

from latelier.first_stages.autoencoder_config import AutoencoderConfig


class AutoencoderVQConfig(AutoencoderConfig):
    """Shape of an `AutoencoderVQ`. The defaults are those of the published vq-f4 model."""

    ch_mult: tuple[int, ...] = Field(
        default=(1, 2, 4), min_length=1, description="channels of each level, in units of ch"
    )
    z_channels: int = Field(
        default=3, ge=1, description="channels between encoder or decoder and 1x1 conv"
    )
    embed_dim: int = Field(default=3, ge=1, description="channels of the latents and of a code")
    n_embed: int = Field(default=8192, ge=1, description="codes in the codebook")
    beta: float = Field(default=0.25, ge=0, description="weight of one term of the codebook loss")
    legacy: bool = Field(
        default=True,
        description="beta weighs the codebook term, as in the published models; "
        "false: the commitment term, as in arXiv:1711.00937",
    )
    remap: int | None = Field(
        default=None,
        ge=1,
        description="number of codes in use, whose indices are the buffer quantize.used; "
        "absent: all codes are",
    )
    unknown_index: int | Literal["random", "extra"] = Field(
        default="random",
        description="index among those in use that a code out of use is given: "
        "a random one, one more than there are, or this one",
    )

    @model_validator(mode="after")
    def _remap_fits(self) -> Self:
        if self.remap is None:
            return self
        if self.remap > self.n_embed:
            raise ValueError(f"remap {self.remap} is more than the {self.n_embed} codes there are")
        if isinstance(self.unknown_index, int) and not 0 <= self.unknown_index < self.remap:
            raise ValueError(
                f"unknown_index {self.unknown_index} is not in 0 to {self.remap - 1}, "
                "the indices in use"
            )
        return self
