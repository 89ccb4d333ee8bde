"""The configuration of the diffusion transformer, under the published names."""

from typing import Self

from pydantic import Field, model_validator

from latelier.denoisers.conditioned_config import ConditionedConfig


class TransformerConfig(ConditionedConfig):
    """The diffusion transformer, DiT (Peebles and Xie 2022, arXiv:2212.09748).

    Published depth, hidden_size and num_heads: S 12, 384, 6; B 12, 768, 12; L 24, 1024, 16;
    XL 28, 1152, 16; each with patch_size 2, 4 or 8.
    """

    input_size: int = Field(
        default=32,
        ge=1,
        description="latents a side that it is trained at; at other sizes the positions of the "
        "patches are laid over this square",
    )
    patch_size: int = Field(default=2, ge=1, description="latents a side of a patch")
    hidden_size: int = Field(ge=1, description="width of the tokens, a multiple of 4")
    depth: int = Field(ge=1, description="number of blocks")
    num_heads: int = Field(ge=1, description="heads of every attention")
    mlp_ratio: float = Field(
        default=4.0, gt=0, description="inner width of the feed-forward layers, times hidden_size"
    )
    learn_sigma: bool = Field(
        default=False,
        description="the last layer gives twice out_channels; the second half, a variance that no "
        "sampler here uses, is dropped",
    )

    @property
    def embedding_width(self) -> int:
        """Width of the timestep embedding."""
        return self.hidden_size

    @property
    def middle_self_attention(self) -> str:
        """The self-attention in the middle."""
        return f"blocks.{self.depth // 2}.attn"

    @property
    def size_multiple(self) -> int:
        """Sides of x must be multiples of this."""
        return self.patch_size

    @model_validator(mode="after")
    def _check_widths(self) -> Self:
        if self.hidden_size % 4:
            raise ValueError(
                f"hidden_size={self.hidden_size} is no multiple of 4, as the sines and cosines of "
                "two coordinates need"
            )
        if self.hidden_size % self.num_heads:
            raise ValueError(
                f"hidden_size={self.hidden_size}, which num_heads={self.num_heads} does not divide"
            )
        if self.input_size % self.patch_size:
            raise ValueError(
                f"input_size={self.input_size} is no multiple of patch_size={self.patch_size}"
            )
        return self
