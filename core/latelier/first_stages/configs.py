"""The configurations of the first stages, under the published names. They need no torch."""

from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from latelier.contracts.bounds import (
    Blocks,
    BlocksPerLevel,
    Factors,
    Rows,
    Side,
    Width,
    Widths,
    check_width,
)
from latelier.contracts.configs import FirstStageConfig
from latelier.contracts.frozen import Frozen

PositiveFloat = Annotated[FiniteFloat, Field(gt=0)]


class ConditionalDecoderConfig(Frozen):
    """What a decoder adds where inputs know pixels (see `ConditionalDecoder`)."""

    inputs: tuple[str, ...] = Field(
        min_length=1,
        max_length=8,
        description="names of the conditioners whose pixels it is given, such as 'collage'",
    )
    channels: Width = Field(
        default=32, description="channels of its first level; two and three times as many follow"
    )
    blocks: Blocks = Field(
        default=2, ge=1, description="residual blocks at each place of its U-Net"
    )

    @model_validator(mode="after")
    def _check_inputs(self) -> Self:
        if len(set(self.inputs)) < len(self.inputs):
            raise ValueError(f"inputs: expected each name once, got {', '.join(self.inputs)}")
        return self

    @property
    def held_values(self) -> int:
        """Numbers that it holds at a time, for each pixel of a picture, at the most (measured)."""
        return 32 * len(self.inputs) + 2 * self.channels

    @property
    def cell(self) -> int:
        """Side in pixels of a position of its last level."""
        return 8

    @property
    def reach(self) -> int:
        """Pixels around a pixel that decide what it becomes, a multiple of `cell`.

        Two convolutions of a block reach 2 positions; blocks are passed twice at all but the last
        level, whose positions are of 2, 4 and 8 pixels; and the first and the last convolution.
        """
        reach = 2 * (2 + 4 * self.blocks) + 4 * 4 * self.blocks + 8 * 2 * self.blocks
        return -(-reach // self.cell) * self.cell + self.cell


class AutoencoderConfig(FirstStageConfig):
    """Base of the configurations of both autoencoders; the defaults are those of kl-f8."""

    patch_size: Literal[1, 2, 4, 8] = Field(
        default=1,
        description="side of the patches that images are cut into: the first level sees a patch "
        "as one position with all its numbers, so no convolution runs at full resolution; "
        "1: as published",
    )
    ch: Width = Field(default=128, description="channels of the first level, times ch_mult[0]")
    ch_mult: Widths = Field(
        default=(1, 2, 4, 4), description="channels of each level, in units of ch"
    )
    num_res_blocks: Blocks = Field(
        default=2, ge=1, description="residual blocks of a level; the decoder has one more"
    )
    attn_resolutions: Factors = Field(
        default=(), description="levels with attention, by their side in pixels at `resolution`"
    )
    resolution: Side = Field(
        default=256,
        description="nominal side of the images in pixels, to which attn_resolutions refer",
    )
    in_channels: Width = Field(default=3, description="channels of the images to encode")
    out_ch: Width = Field(default=3, description="channels of the decoded images")
    z_channels: Width = Field(
        default=4,
        description="channels between the encoder or decoder and its 1x1 convolution",
    )
    embed_dim: Width = Field(default=4, description="channels of the latents")
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="drop-out inside the residual blocks"
    )
    attn_type: Literal["vanilla", "linear", "none"] = Field(
        default="vanilla",
        description="linear: its cost is linear in the positions; "
        "none: no attention at all, not even in the middle",
    )
    num_groups: Width | None = Field(
        default=32,
        description="groups of every group norm; null: the channels of each position are "
        "normalised by themselves, so without attention latents depend on what is near alone",
    )
    scale_factor: PositiveFloat | tuple[PositiveFloat, ...] = Field(
        default=1.0,
        description="latents are multiplied by it: 1 / their standard deviation; "
        "a number, or one for each channel",
    )
    shift_factor: FiniteFloat | tuple[FiniteFloat, ...] = Field(
        default=0.0,
        description="subtracted from latents before they are multiplied: their mean; "
        "a number, or one for each channel",
    )
    conditional_decoder: ConditionalDecoderConfig | None = Field(
        default=None, description="adds what inputs know of a picture's pixels; null: nothing does"
    )

    @model_validator(mode="after")
    def _check_factors(self) -> Self:
        for name in ("scale_factor", "shift_factor"):
            values = getattr(self, name)
            if isinstance(values, tuple) and len(values) != self.embed_dim:
                raise ValueError(
                    f"{name} has {len(values)} numbers; expected one, or embed_dim "
                    f"{self.embed_dim} of them"
                )
        return self

    @model_validator(mode="after")
    def _check_groups(self) -> Self:
        for channels in (self.ch, *(self.ch * mult for mult in self.ch_mult)):
            check_width("ch times ch_mult", channels)
            if self.num_groups and channels % self.num_groups:
                raise ValueError(
                    f"num_groups {self.num_groups} does not divide a level of {channels} "
                    f"channels (ch {self.ch}, ch_mult {self.ch_mult})"
                )
        return self

    @property
    def downsampling(self) -> int:
        """Factor f: every level but the last halves the sides of what patches leave."""
        return int(self.patch_size * 2 ** (len(self.ch_mult) - 1))

    @property
    def decoding_values(self) -> int:
        """Four maps of the last level, which has the channels of the one before at first.

        More if the conditional decoder, which runs after it, holds more.
        """
        widest = self.ch * max(self.ch_mult[:2])
        known = 0 if self.conditional_decoder is None else self.conditional_decoder.held_values
        return max(1, 4 * widest // self.patch_size**2, known)

    @property
    def latent_channels(self) -> int:
        """Channels of the latents."""
        return self.embed_dim

    @property
    def known_inputs(self) -> tuple[str, ...]:
        """The inputs of the conditional decoder."""
        return () if self.conditional_decoder is None else self.conditional_decoder.inputs

    def has_attention(self, level: int) -> bool:
        """Return whether the blocks of a level have attention; level 0 comes after the patches."""
        return self.resolution // self.patch_size // 2**level in self.attn_resolutions


class AutoencoderKLConfig(AutoencoderConfig):
    """The KL-regularised autoencoder; the defaults are those of the published kl-f8."""

    use_quant_conv: bool = Field(
        default=True,
        description="a 1x1 convolution after the encoder; the first stages of Stable Diffusion 3 "
        "and FLUX have none",
    )
    use_post_quant_conv: bool = Field(
        default=True, description="a 1x1 convolution before the decoder"
    )

    @model_validator(mode="after")
    def _check_convolutions(self) -> Self:
        for name in ("use_quant_conv", "use_post_quant_conv"):
            if not getattr(self, name) and self.embed_dim != self.z_channels:
                raise ValueError(
                    f"{name} is false, so embed_dim {self.embed_dim} must be z_channels "
                    f"{self.z_channels}"
                )
        return self


class AutoencoderVQConfig(AutoencoderConfig):
    """The vector-quantised autoencoder; the defaults are those of the published vq-f4."""

    ch_mult: Widths = Field(default=(1, 2, 4), description="channels of each level, in units of ch")
    z_channels: Width = Field(
        default=3,
        description="channels between the encoder or decoder and its 1x1 convolution",
    )
    embed_dim: Width = Field(default=3, description="channels of the latents and of a code")
    n_embed: Rows = Field(default=8192, ge=1, description="codes in the codebook")
    beta: float = Field(default=0.25, ge=0, description="weight of one term of the codebook loss")
    legacy: bool = Field(
        default=True,
        description="beta weighs the codebook term, as in the published models; "
        "false: the commitment term, as in arXiv:1711.00937",
    )


class IdentityConfig(FirstStageConfig):
    """The first stage of diffusion on pixels."""

    channels: Width = Field(default=3, description="channels of the images")
    scale_factor: float = Field(default=1.0, gt=0, description="latents are multiplied by it")

    @property
    def downsampling(self) -> int:
        """Factor f: 1."""
        return 1

    @property
    def decoding_values(self) -> int:
        """The image, and its copy in 32 bits."""
        return 3 * self.channels

    @property
    def latent_channels(self) -> int:
        """Channels of the latents."""
        return self.channels


class TinyAutoencoderConfig(FirstStageConfig):
    """The small distilled autoencoder; the defaults are those of TAESD."""

    in_channels: Width = Field(default=3, description="channels of the images to encode")
    out_channels: Width = Field(default=3, description="channels of the decoded images")
    encoder_block_out_channels: Widths = Field(
        default=(64, 64, 64, 64), description="channels of each stage, all equal"
    )
    decoder_block_out_channels: Widths = Field(
        default=(64, 64, 64, 64), description="channels of each stage, all equal"
    )
    num_encoder_blocks: BlocksPerLevel = Field(
        default=(1, 3, 3, 3), description="blocks of each stage, from the highest resolution"
    )
    num_decoder_blocks: BlocksPerLevel = Field(
        default=(3, 3, 3, 1), description="blocks of each stage, from the lowest resolution"
    )
    z_channels: Width = Field(default=4, description="channels of the latents")
    use_midblock_gn: bool = Field(
        default=False,
        description="a branch with a group norm in the blocks of the lowest resolution, as in "
        "taef2, the one for the latents of FLUX.2",
    )
    latent_magnitude: float = Field(
        default=3.0, gt=0, description="greatest latent that can be stored in an image"
    )
    latent_shift: float = Field(
        default=0.5, description="value in 0..1 that stands for a latent of 0 in such an image"
    )
    scale_factor: float = Field(default=1.0, gt=0, description="latents are multiplied by it")

    @model_validator(mode="after")
    def _check_stages(self) -> Self:
        for side in ("encoder", "decoder"):
            widths: tuple[int, ...] = getattr(self, f"{side}_block_out_channels")
            blocks: tuple[int, ...] = getattr(self, f"num_{side}_blocks")
            if len(set(widths)) > 1:
                raise ValueError(f"{side}_block_out_channels must all be equal, not {widths}")
            if len(widths) != len(blocks):
                raise ValueError(
                    f"{side}_block_out_channels has {len(widths)} stages, "
                    f"num_{side}_blocks {len(blocks)}"
                )
        if len(self.num_encoder_blocks) != len(self.num_decoder_blocks):
            raise ValueError(
                f"the encoder has {len(self.num_encoder_blocks)} stages, "
                f"the decoder {len(self.num_decoder_blocks)}; they must have the same number"
            )
        return self

    @property
    def downsampling(self) -> int:
        """Factor f: every stage but the first halves the sides."""
        return int(2 ** (len(self.num_encoder_blocks) - 1))

    @property
    def decoding_values(self) -> int:
        """Four maps of the last stage."""
        return 4 * self.decoder_block_out_channels[0]

    @property
    def latent_channels(self) -> int:
        """Channels of the latents."""
        return self.z_channels
