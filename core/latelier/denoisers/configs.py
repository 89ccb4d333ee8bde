"""The configurations of the denoisers and of their adapters. They need no torch."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from latelier.contracts.adapters import AdapterConfig, check_outputs
from latelier.contracts.bounds import (
    MAX_CONDITIONS,
    Blocks,
    Depth,
    Depths,
    Factors,
    Layers,
    Side,
    Width,
    Widths,
    check_width,
)
from latelier.contracts.configs import ConditionerConfig, DenoiserConfig, InputSpec, StreamSlot
from latelier.contracts.errors import CompatibilityError
from latelier.contracts.frozen import Frozen

_MAX_TRANSFORMER_BLOCKS = 1024
"""Most transformer blocks of a UNet on its way down."""

_MAX_LISTED = 3
"""Most layers that an error lists."""


class ConditionedConfig(DenoiserConfig):
    """Base of the configurations of denoisers with the three kinds of conditions.

    Streams are cross-attended, spatial maps are concatenated to x, and vectors are added to the
    timestep embedding.
    """

    in_channels: Width = Field(description="latent channels, without spatial conditions")
    out_channels: Width = Field(description="channels of the prediction")
    context_dim: Width | None = Field(
        default=None,
        description="width of the cross-attended context; None: self-attention only",
    )
    streams: dict[str, StreamSlot] = Field(
        default_factory=dict,
        max_length=MAX_CONDITIONS,
        description="cross-attended streams by name, in the order of concatenation",
    )
    spatial: dict[str, Width] = Field(
        default_factory=dict,
        max_length=MAX_CONDITIONS,
        description="name -> channels, in the order of concatenation",
    )
    vectors: dict[str, Width] = Field(
        default_factory=dict,
        max_length=MAX_CONDITIONS,
        description="name -> width, each added to the timestep embedding",
    )
    native_vectors: tuple[str, ...] = Field(
        default=(),
        description="vectors of the timestep embedding's width, which are added as they are "
        "(published label embeddings); the others pass a linear layer",
    )
    joint_vectors: tuple[str, ...] = Field(
        default=(),
        description="vectors that are concatenated in this order and pass one network of two "
        "layers together (SDXL); an absent one counts as zeros",
    )

    @property
    def embedding_width(self) -> int:
        """Width of the timestep embedding."""
        raise NotImplementedError

    @property
    def latent_channels(self) -> int:
        """Channels of x, without spatial conditions."""
        return self.in_channels

    @property
    def given_channels(self) -> int:
        """Channels of x and of the spatial conditions."""
        return self.in_channels + sum(self.spatial.values())

    @property
    def supports(self) -> frozenset[str]:
        """The controls that the denoiser supports."""
        always = {
            "masks",
            "regions",
            "residuals",
            "perturbed_attention",
            "gradient_checkpointing",
            "self_attention",
        }
        return frozenset(always if self.context_dim is None else {*always, "adapters"})

    @property
    def joint_width(self) -> int:
        """Width of the concatenated joint vectors; 0 without any."""
        return sum(self.vectors[name] for name in self.joint_vectors)

    def inputs(self) -> InputSpec:
        """Return the conditions that the denoiser takes."""
        return InputSpec(streams=self.streams, spatial=self.spatial, vectors=self.vectors)

    @model_validator(mode="after")
    def _check_streams(self) -> Self:
        if self.streams and self.context_dim is None:
            raise ValueError(f"streams ({', '.join(self.streams)}) need a context_dim")
        if self.context_dim is not None and not self.streams:
            raise ValueError(f"context_dim={self.context_dim} needs at least one stream")
        for name, slot in self.streams.items():
            if slot.injection == "native" and slot.width != self.context_dim:
                raise ValueError(
                    f"the native stream '{name}' has width {slot.width}, but the context "
                    f"has context_dim={self.context_dim}; declare it as 'named', or match the two"
                )
        return self

    @model_validator(mode="after")
    def _check_native_vectors(self) -> Self:
        for name in self.native_vectors:
            width = self.vectors.get(name)
            if width is None:
                raise ValueError(f"native_vectors names '{name}', which is not among the vectors")
            if width != self.embedding_width:
                raise ValueError(
                    f"the native vector '{name}' has width {width}, but the timestep embedding has "
                    f"{self.embedding_width}; leave it out of native_vectors, or match the two"
                )
        return self

    @model_validator(mode="after")
    def _check_joint_vectors(self) -> Self:
        for name in self.joint_vectors:
            if name not in self.vectors:
                raise ValueError(f"joint_vectors names '{name}', which is not among the vectors")
            if name in self.native_vectors or self.joint_vectors.count(name) > 1:
                raise ValueError(
                    f"the vector '{name}' must be listed once, in native_vectors or joint_vectors"
                )
        check_width("the width of all joint_vectors", self.joint_width)
        return self

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        for name in (*self.streams, *self.spatial, *self.vectors):
            if not name.isidentifier():
                raise ValueError(
                    f"invalid name '{name}' of a condition: use letters, digits and underscores"
                )
        return self


class UNetConfig(ConditionedConfig):
    """The UNet of latent diffusion (Rombach et al. 2022, arXiv:2112.10752, appendix E)."""

    model_channels: Width = Field(description="channels at the first level, times its multiple")
    channel_mult: Widths = Field(
        description="multiple of model_channels at each level, full resolution first"
    )
    num_res_blocks: Blocks = Field(default=2, ge=1, description="residual blocks at each level")
    attention_resolutions: Factors = Field(
        default=(), description="downsampling factors (not pixels) at which there is attention"
    )
    num_heads: Width | None = Field(default=None, description="heads of every attention")
    num_head_channels: Width | None = Field(
        default=None, description="channels a head, instead of num_heads"
    )
    transformer_depth: Depth | Depths = Field(
        default=1,
        description="transformer blocks at each attention: of all levels, or one number for each "
        "level, full resolution first; the middle has that of the last level",
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
    num_groups: Width = Field(default=32, description="groups of every group normalisation")

    @property
    def embedding_width(self) -> int:
        """Width of the timestep embedding."""
        return 4 * self.model_channels

    @property
    def supports(self) -> frozenset[str]:
        """The controls that the denoiser supports."""
        return super().supports | {"deep_branch"}

    @property
    def middle_self_attention(self) -> str:
        """The self-attention that perturbed-attention guidance perturbs."""
        return "middle_block.1"

    @property
    def widths(self) -> list[int]:
        """Channels at each level, full resolution first."""
        return [multiple * self.model_channels for multiple in self.channel_mult]

    def has_attention(self, level: int) -> bool:
        """Return whether the residual blocks of a level are followed by attention."""
        return 2**level in self.attention_resolutions

    def heads(self, channels: int) -> int:
        """Return the number of attention heads at a width."""
        return self.num_heads or channels // (self.num_head_channels or channels)

    def depth(self, level: int) -> int:
        """Return the number of transformer blocks at each attention of a level."""
        depths = self.transformer_depth
        return depths if isinstance(depths, int) else depths[level]

    @model_validator(mode="after")
    def _check_widths(self) -> Self:
        for width in (self.model_channels, *self.widths):
            check_width("model_channels times channel_mult", width)
            if width % self.num_groups:
                raise ValueError(
                    f"{width} channels (model_channels times channel_mult) "
                    f"cannot be divided into num_groups={self.num_groups} groups"
                )
        return self

    @model_validator(mode="after")
    def _check_transformer_blocks(self) -> Self:
        levels, depths = len(self.channel_mult), self.transformer_depth
        if not isinstance(depths, int) and len(depths) != levels:
            raise ValueError(
                f"transformer_depth has {len(depths)} numbers for the {levels} levels of "
                "channel_mult; give one for each level, or a single number"
            )
        blocks = self.num_res_blocks * sum(map(self.depth, range(levels)))
        if blocks > _MAX_TRANSFORMER_BLOCKS:
            raise ValueError(
                f"{blocks} transformer blocks (num_res_blocks times the transformer_depth of all "
                f"levels) are more than {_MAX_TRANSFORMER_BLOCKS}"
            )
        return self

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        if (self.num_heads is None) == (self.num_head_channels is None):
            raise ValueError("give exactly one of num_heads and num_head_channels")
        name = "num_heads" if self.num_heads else "num_head_channels"
        divisor = self.num_heads or self.num_head_channels or 1
        for level, width in enumerate(self.widths):
            is_last = level == len(self.widths) - 1
            if (self.has_attention(level) or is_last) and width % divisor:
                raise ValueError(
                    f"the attention at level {level} has {width} channels, "
                    f"which {name}={divisor} does not divide"
                )
        return self


class TokensConfig(ConditionedConfig):
    """Base of the configurations of denoisers whose tokens are patches."""

    input_size: Side = Field(
        default=32,
        description="side in latents at training; at other sizes the positions of the patches are "
        "scaled to this square",
    )
    patch_size: Side = Field(default=2, description="side of a patch, in latents")
    hidden_size: Width = Field(description="width of the tokens, a multiple of 4")
    depth: Layers = Field(ge=1, description="number of blocks")
    num_heads: Width = Field(description="heads of every attention")
    mlp_ratio: float = Field(
        default=4.0,
        gt=0,
        le=64,
        description="inner width of the feed-forward layers, times hidden_size",
    )

    @property
    def embedding_width(self) -> int:
        """Width of the timestep embedding."""
        return self.hidden_size

    @property
    def trained_side(self) -> int:
        """Side in patches at training."""
        return self.input_size // self.patch_size

    @property
    def middle_self_attention(self) -> str:
        """The self-attention that perturbed-attention guidance perturbs."""
        return f"blocks.{self.depth // 2}.attn"

    @property
    def size_multiple(self) -> int:
        """Sides of x must be multiples of this."""
        return self.patch_size

    @model_validator(mode="after")
    def _check_tokens(self) -> Self:
        if self.hidden_size % 4:
            raise ValueError(
                f"hidden_size={self.hidden_size} must be a multiple of 4, for the sines and "
                "cosines of two coordinates"
            )
        if self.hidden_size % self.num_heads:
            raise ValueError(
                f"num_heads={self.num_heads} does not divide hidden_size={self.hidden_size}"
            )
        if self.input_size % self.patch_size:
            raise ValueError(
                f"input_size={self.input_size} must be a multiple of patch_size={self.patch_size}"
            )
        return self


class TransformerConfig(TokensConfig):
    """The diffusion transformer, DiT (Peebles and Xie 2022, arXiv:2212.09748).

    Published depth, hidden_size and num_heads: S 12, 384, 6; B 12, 768, 12; L 24, 1024, 16;
    XL 28, 1152, 16; each with patch_size 2, 4 or 8.
    """

    learn_sigma: bool = Field(
        default=False,
        description="the last layer has twice out_channels; the second half, a variance that no "
        "sampler here uses, is dropped",
    )


class UViTConfig(TokensConfig):
    """A transformer between convolutions, U-ViT (Hoogeboom et al. 2023, arXiv:2301.11093)."""

    model_channels: Width = Field(description="channels of the convolutions, at the size of x")
    num_res_blocks: Blocks = Field(
        default=1, ge=1, description="residual blocks before the transformer, and after it"
    )
    num_groups: Width = Field(default=32, description="groups of every group normalisation")
    copies: tuple[str, ...] = Field(
        default=(),
        max_length=16,
        description="spatial parts that begin with latents of out_channels channels, one or more: "
        "gates of each position and channel add them, and x, to the prediction, so that what they "
        "show is copied",
    )

    @property
    def dropout(self) -> float:
        """The dropped share inside residual blocks."""
        return 0.0

    @property
    def use_scale_shift_norm(self) -> bool:
        """The timestep scales and shifts the norms of residual blocks."""
        return True

    @property
    def copied_latents(self) -> dict[str, int]:
        """How many latents each of `copies` begins with; what follows them is not copied."""
        return {name: self.spatial[name] // self.out_channels for name in self.copies}

    @property
    def supports(self) -> frozenset[str]:
        """The controls that the denoiser supports."""
        return super().supports | {"deep_branch"}

    @model_validator(mode="after")
    def _check_channels(self) -> Self:
        check_width("patch_size^2 times model_channels", self.patch_size**2 * self.model_channels)
        if self.model_channels % self.num_groups:
            raise ValueError(
                f"model_channels={self.model_channels} cannot be divided into "
                f"num_groups={self.num_groups} groups"
            )
        return self

    @model_validator(mode="after")
    def _check_copies(self) -> Self:
        for name in self.copies:
            if self.spatial.get(name, 0) < self.out_channels or self.copies.count(name) > 1:
                raise ValueError(
                    f"copies names '{name}'; name spatial parts of at least out_channels="
                    f"{self.out_channels} channels, each once"
                )
        if self.copies and self.in_channels != self.out_channels:
            raise ValueError(
                f"with copies, in_channels={self.in_channels} must be "
                f"out_channels={self.out_channels}: x is copied too"
            )
        return self

    @model_validator(mode="after")
    def _check_context(self) -> Self:
        if self.context_dim not in (None, self.hidden_size):
            raise ValueError(
                f"context_dim={self.context_dim} must be hidden_size={self.hidden_size}: the "
                "tokens of the streams stand beside those of the picture"
            )
        for name, slot in self.streams.items():
            if slot.injection == "native":
                raise ValueError(
                    f"the stream '{name}' is 'native', but a U-ViT projects every stream to its "
                    "tokens; declare it as 'named'"
                )
        return self


class ProjectionConfig(Frozen):
    """Projects the tokens of a stream before keys and values are computed."""

    width: Width = Field(description="width of the projected tokens")
    tokens: int = Field(
        default=1,
        ge=1,
        le=1024,
        description="projected tokens for each token of the stream; IP-Adapter has 4 for an "
        "image's vector",
    )


class AttentionAdapterConfig(AdapterConfig):
    """Decoupled cross-attention (IP-Adapter, arXiv:2308.06721, section 3.2)."""

    width: Width = Field(description="width D of the stream's tokens (B, N, D)")
    projection: ProjectionConfig | None = Field(
        default=None, description="a linear layer and a norm; None leaves the tokens as they are"
    )
    layers: dict[str, Width] = Field(
        min_length=1,
        max_length=4 * _MAX_TRANSFORMER_BLOCKS,
        description="cross-attentions that the adapter serves, by the denoiser's names -> width of "
        "their queries",
    )

    @property
    def key_width(self) -> int:
        """Width of the tokens that keys and values are computed from."""
        return self.projection.width if self.projection else self.width

    def check(self, name: str, conditioner: ConditionerConfig | None, denoiser: Any) -> None:
        """Check the conditioner's stream, and that the denoiser has the cross-attentions."""
        check_outputs(name, conditioner, "stream", self.width)
        layers: Mapping[str, int] = getattr(denoiser, "cross_attentions", {})
        self.check_layers(name, layers if "adapters" in denoiser.config.supports else {})

    def check_layers(self, name: str, cross_attentions: Mapping[str, int]) -> None:
        """Check that a denoiser has the cross-attentions that the adapter serves.

        Args:
            name: of the adapter.
            cross_attentions: name -> width of the denoiser's.

        Raises:
            CompatibilityError: a layer is missing or has another width.
        """
        if not cross_attentions:
            raise CompatibilityError(
                f"adapter '{name}' needs cross-attentions, and this denoiser has none"
            )
        missing = [f"'{layer}'" for layer in self.layers if layer not in cross_attentions]
        if missing:
            raise CompatibilityError(
                f"adapter '{name}' has the layers {_list_some(missing)}, which this denoiser does "
                f"not have; its {len(cross_attentions)} cross-attentions have names such as "
                f"'{next(iter(cross_attentions))}'"
            )
        different = [
            f"'{layer}' of width {width}, which is {cross_attentions[layer]} here"
            for layer, width in self.layers.items()
            if width != cross_attentions[layer]
        ]
        if different:
            raise CompatibilityError(
                f"adapter '{name}' is for another denoiser: it has {_list_some(different)}"
            )


def _list_some(layers: list[str]) -> str:
    more = f" and {len(layers) - _MAX_LISTED} more" if len(layers) > _MAX_LISTED else ""
    return ", ".join(layers[:_MAX_LISTED]) + more
