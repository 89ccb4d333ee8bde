"""Configuration that both autoencoders share, in the names of the published configs."""

from typing import Literal, Self

from pydantic import Field, model_validator

from latelier.contracts.configs import FirstStageConfig


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


class AutoencoderKLConfig(AutoencoderConfig):
    """Shape of an `AutoencoderKL`. The defaults are those of the published kl-f8 model."""


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


class IdentityConfig(FirstStageConfig):
    """Latents that are the images themselves."""

    channels: int = Field(default=3, ge=1, description="channels of the images")
    scale_factor: float = Field(default=1.0, gt=0, description="latents are multiplied by it")

    @property
    def downsampling(self) -> int:
        """Factor f: 1."""
        return 1

    @property
    def latent_channels(self) -> int:
        """Channels of the latents."""
        return self.channels


class TinyAutoencoderConfig(FirstStageConfig):
    """Shape of a `TinyAutoencoder`. The defaults are those of TAESD."""

    in_channels: int = Field(default=3, ge=1, description="channels of the images given")
    out_channels: int = Field(default=3, ge=1, description="channels of the images returned")
    encoder_block_out_channels: tuple[int, ...] = Field(
        default=(64, 64, 64, 64), min_length=1, description="channels of each stage, all the same"
    )
    decoder_block_out_channels: tuple[int, ...] = Field(
        default=(64, 64, 64, 64), min_length=1, description="channels of each stage, all the same"
    )
    num_encoder_blocks: tuple[int, ...] = Field(
        default=(1, 3, 3, 3), description="blocks of each stage, from the highest resolution"
    )
    num_decoder_blocks: tuple[int, ...] = Field(
        default=(3, 3, 3, 1), description="blocks of each stage, from the lowest resolution"
    )
    z_channels: int = Field(default=4, ge=1, description="channels of the latents")
    latent_magnitude: float = Field(
        default=3.0, gt=0, description="latents in +- this are kept where they are stored as images"
    )
    latent_shift: float = Field(
        default=0.5, description="value in 0..1 that stands for 0 where latents are stored so"
    )
    scale_factor: float = Field(default=1.0, gt=0, description="latents are multiplied by it")

    @model_validator(mode="after")
    def _stages_agree(self) -> Self:
        for side in ("encoder", "decoder"):
            widths: tuple[int, ...] = getattr(self, f"{side}_block_out_channels")
            blocks: tuple[int, ...] = getattr(self, f"num_{side}_blocks")
            if len(set(widths)) > 1:
                raise ValueError(f"{side}_block_out_channels must all be the same, not {widths}")
            if len(widths) != len(blocks):
                raise ValueError(
                    f"{side}_block_out_channels has {len(widths)} stages, "
                    f"num_{side}_blocks {len(blocks)}"
                )
        if len(self.num_encoder_blocks) != len(self.num_decoder_blocks):
            raise ValueError(
                f"the encoder has {len(self.num_encoder_blocks)} stages, "
                f"the decoder {len(self.num_decoder_blocks)}: each must undo the other's factor"
            )
        return self

    @property
    def downsampling(self) -> int:
        """Factor f: every stage but the first halves the sides."""
        return int(2 ** (len(self.num_encoder_blocks) - 1))

    @property
    def latent_channels(self) -> int:
        """Channels of the latents."""
        return self.z_channels
