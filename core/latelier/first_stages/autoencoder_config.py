"""Configuration that both autoencoders share, in the names of the published configs."""

from typing import Literal, Self

from pydantic import Field, model_validator

from latelier.kernel.slots import FirstStageConfig


class AutoencoderConfig(FirstStageConfig):
    """Shape of an encoder and a decoder. The defaults are those of the published kl-f8 model."""

    ch: int = Field(default=128, ge=1, description="channels at full resolution, times ch_mult[0]")
    ch_mult: tuple[int, ...] = Field(
        default=(1, 2, 4, 4), min_length=1, description="channels of each level, in units of ch"
    )
    num_res_blocks: int = Field(
        default=2, ge=1, description="residual blocks of a level; the decoder has one more"
    )
    attn_resolutions: tuple[int, ...] = Field(
        default=(), description="levels with attention, by their side in pixels at `resolution`"
    )
    resolution: int = Field(
        default=256,
        ge=1,
        description="nominal side of the images, which gives attn_resolutions a meaning",
    )
    in_channels: int = Field(default=3, ge=1, description="channels of the images given")
    out_ch: int = Field(default=3, ge=1, description="channels of the images returned")
    z_channels: int = Field(
        default=4, ge=1, description="channels between encoder or decoder and 1x1 conv"
    )
    embed_dim: int = Field(default=4, ge=1, description="channels of the latents")
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="drop-out inside the residual blocks"
    )
    attn_type: Literal["vanilla", "linear", "none"] = Field(
        default="vanilla",
        description="linear: at a cost linear in the positions; "
        "none: no attention at all, not even in the middle",
    )
    num_groups: int = Field(default=32, ge=1, description="groups of every group norm")
    scale_factor: float = Field(
        default=1.0, gt=0, description="latents are multiplied by it: 1 / their standard deviation"
    )

    @model_validator(mode="after")
    def _groups_divide_channels(self) -> Self:
        for channels in (self.ch, *(self.ch * mult for mult in self.ch_mult)):
            if channels % self.num_groups:
                raise ValueError(
                    f"num_groups {self.num_groups} does not divide a level of {channels} "
                    f"channels (ch {self.ch}, ch_mult {self.ch_mult})"
                )
        return self

    @property
    def downsampling(self) -> int:
        """Factor f: every level but the last halves the sides."""
        return int(2 ** (len(self.ch_mult) - 1))

    @property
    def latent_channels(self) -> int:
        """Channels of the latents."""
        return self.embed_dim

    def attends(self, level: int) -> bool:
        """Return whether the blocks of a level, 0 the highest resolution, attend."""
        return self.resolution // 2**level in self.attn_resolutions
