"""The configuration of the UNet, under the names of the published configurations.

Of their other fields, `image_size` is not needed (it takes any size), `use_spatial_transformer` is
said by `context_dim`, `use_checkpoint` is asked for call by call (see `Control`), and `legacy`
changes no number of a published model. A `num_classes` is a native vector, whose table
(`label_emb`) belongs to the conditioner `class_label`, as does every embedding of an input. The
order of q, k and v that `use_new_attention_order` asks for differs by a permutation of the weights
of `qkv`. `num_heads_upsample` and other kinds of middle blocks are in no published model.
"""

from typing import Self

from pydantic import Field, model_validator

from latelier.denoisers.conditioned_config import ConditionedConfig, Width


class UNetConfig(ConditionedConfig):
    """The UNet of latent diffusion (Rombach et al. 2022, arXiv:2112.10752, appendix E)."""

    model_channels: int = Field(ge=1, description="channels at the first level, times its multiple")
    channel_mult: tuple[Width, ...] = Field(
        min_length=1, description="multiple of model_channels at each level, full resolution first"
    )
    num_res_blocks: int = Field(default=2, ge=1, description="residual blocks at each level")
    attention_resolutions: tuple[Width, ...] = Field(
        default=(), description="downsampling factors (not pixels) at which there is attention"
    )
    num_heads: int | None = Field(default=None, ge=1, description="heads of every attention")
    num_head_channels: int | None = Field(
        default=None, ge=1, description="channels a head, instead of num_heads"
    )
    transformer_depth: int = Field(
        default=1, ge=1, description="transformer blocks at each attention"
    )
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="dropped share inside residual blocks"
    )
    use_scale_shift_norm: bool = Field(
        default=False, description="the timestep scales and shifts the norm, instead of being added"
    )
    resblock_updown: bool = Field(default=False, description="change resolution in residual blocks")
    conv_resample: bool = Field(default=True, description="convolve where the resolution changes")
    use_linear_projections: bool = Field(
        default=False,
        description="linear layers around the transformers, not 1x1 convolutions (SD 2)",
    )
    num_groups: int = Field(default=32, ge=1, description="groups of every group normalisation")

    @property
    def embedding_width(self) -> int:
        """Width of the timestep embedding."""
        return 4 * self.model_channels

    @property
    def middle_self_attention(self) -> str:
        """The self-attention in the middle."""
        return "middle_block.1"

    @property
    def size_multiple(self) -> int:
        """Sides of x must be multiples of this: each level but the last halves them."""
        return int(2 ** (len(self.channel_mult) - 1))

    def heads(self, channels: int) -> int:
        """Return the number of attention heads at a width."""
        return self.num_heads or channels // (self.num_head_channels or channels)

    @model_validator(mode="after")
    def _check_widths(self) -> Self:
        widths = [self.model_channels * multiple for multiple in (1, *self.channel_mult)]
        for width in widths:
            if width % self.num_groups:
                raise ValueError(
                    f"{width} channels (model_channels times channel_mult) "
                    f"cannot be divided into num_groups={self.num_groups} groups"
                )
        return self

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        if (self.num_heads is None) == (self.num_head_channels is None):
            raise ValueError("give exactly one of num_heads and num_head_channels")
        name = "num_heads" if self.num_heads else "num_head_channels"
        divisor = self.num_heads or self.num_head_channels or 1
        for level, multiple in enumerate(self.channel_mult):
            width = self.model_channels * multiple
            is_last = level == len(self.channel_mult) - 1
            attends = 2**level in self.attention_resolutions or is_last
            if attends and width % divisor:
                raise ValueError(
                    f"the attention at level {level} has {width} channels, "
                    f"which {name}={divisor} does not divide"
                )
        return self
