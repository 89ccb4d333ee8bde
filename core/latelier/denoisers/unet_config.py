"""The configuration of the UNet, under the names of the published configurations."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from latelier.kernel.slots import DenoiserConfig, StreamSlot, Takes

Width = Annotated[int, Field(ge=1)]


class UNetConfig(DenoiserConfig):
    """The UNet of latent diffusion (Rombach et al. 2022, arXiv:2112.10752, appendix E)."""

    in_channels: int = Field(ge=1, description="latent channels; spatial conditions not counted")
    out_channels: int = Field(ge=1, description="channels of the prediction")
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
    context_dim: int | None = Field(
        default=None,
        ge=1,
        description="width of the cross-attended context; None: self-attention only",
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
    streams: dict[str, StreamSlot] = Field(
        default_factory=dict, description="streams attended to, by name, in order"
    )
    spatial: dict[str, Width] = Field(
        default_factory=dict, description="name -> channels, in the order of concatenation"
    )
    vectors: dict[str, Width] = Field(
        default_factory=dict, description="name -> width, each added to the timestep embedding"
    )

    @property
    def latent_channels(self) -> int:
        """Channels of the x it denoises, spatial conditions not counted."""
        return self.in_channels

    @property
    def size_multiple(self) -> int:
        """Sides of x must be multiples of this: each level but the last halves them."""
        return int(2 ** (len(self.channel_mult) - 1))

    @property
    def honours(self) -> frozenset[str]:
        """What it can obey."""
        return frozenset({"masks", "regions", "residuals", "self_values"})

    def takes(self) -> Takes:
        """Return the conditions that it takes."""
        return Takes(streams=self.streams, spatial=self.spatial, vectors=self.vectors)

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

    @model_validator(mode="after")
    def _check_streams(self) -> Self:
        if self.streams and self.context_dim is None:
            raise ValueError(f"streams ({', '.join(self.streams)}) need a context_dim")
        if self.context_dim is not None and not self.streams:
            raise ValueError(f"context_dim={self.context_dim} needs at least one stream")
        for name, slot in self.streams.items():
            if slot.way == "native" and slot.width != self.context_dim:
                raise ValueError(
                    f"the native stream '{name}' has width {slot.width}, but the context "
                    f"has context_dim={self.context_dim}; declare it as 'named', or match the two"
                )
        return self

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        for name in (*self.streams, *self.spatial, *self.vectors):
            if not name.isidentifier():
                raise ValueError(
                    f"'{name}' is no name for a condition: use letters, digits and underscores"
                )
        return self
