"""The configuration of ControlNets. It needs no torch."""

from collections.abc import Collection
from typing import Any, Literal, Self

from latelier.contracts.adapters import ResidualConfig
from latelier.contracts.bounds import Layers, Width, Widths
from latelier.contracts.configs import ConditionerConfig
from latelier.contracts.frozen import Frozen
from latelier.denoisers.configs import UNetConfig
from pydantic import Field, model_validator

from latelier_addons.families import check_family, name_family

_GUESS_START = 0.1
"""In guess mode the residuals of the first block are this times those of the middle block."""


class UnionConfig(Frozen):
    """The control type of a ControlNet that was trained on hints of several types (union)."""

    types: int = Field(ge=1, le=64, description="number of control types")
    type: int = Field(ge=0, description="number of the control type of the hints")
    embedding: Width = Field(default=256, description="channels of the sinusoids of each type")
    layers: Layers = Field(default=1, description="transformer layers over the hint's mean")
    heads: Width = Field(default=8, description="heads of these layers")

    @model_validator(mode="after")
    def _check_type(self) -> Self:
        if self.type >= self.types:
            raise ValueError(f"type={self.type} is none of the {self.types} control types, 0 first")
        return self


class ControlNetConfig(ResidualConfig):
    """A copy of a UNet's encoder that reads a hint (Zhang et al. 2023, arXiv:2302.05543)."""

    encoder: UNetConfig = Field(
        description="the UNet whose encoder it has; the depth of the transformers may be its own"
    )
    hint_widths: Widths = Field(
        default=(16, 32, 96, 256),
        description="channels of the hint's convolutions at each resolution, the pixels' first",
    )
    hint_order: Literal["rgb", "bgr"] = Field(
        default="rgb", description="order of the colours that the network was trained with"
    )
    block_scale: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="the residuals of each block are this times those of the next, the middle's "
        "being whole; below 1 in guess mode",
    )
    global_pooling: bool = Field(
        default=False, description="residuals are their means over the picture (shuffle)"
    )
    union: UnionConfig | None = Field(
        default=None, description="the control type; None: the network has no types"
    )

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        channels = self.encoder.model_channels
        if self.union is not None and channels % self.union.heads:
            raise ValueError(f"union: heads={self.union.heads} does not divide {channels} channels")
        return self

    @property
    def hint_patch(self) -> int:
        """Pixels a side of one cell of the latents."""
        return int(2 ** (len(self.hint_widths) - 1))

    @property
    def hint_channels(self) -> Width:
        return 3 * self.hint_patch**2 + 1

    @property
    def skips(self) -> int:
        """Number of skip connections of the UNet."""
        return len(self.encoder.channel_mult) * (self.encoder.num_res_blocks + 1)

    @property
    def guess_scale(self) -> float:
        """The `block_scale` of guess mode; 0.825 for Stable Diffusion 1 and 2."""
        return float(_GUESS_START ** (1 / self.skips))

    @property
    def blocks(self) -> Collection[str]:
        return [*(f"skips.{i}" for i in range(self.skips)), "middle_block"]

    def check(self, name: str, conditioner: ConditionerConfig | None, denoiser: Any) -> None:
        """Check the hint, and that the denoiser is a UNet with this encoder and its conditions."""
        own = self.encoder
        shared = ("latent_channels", "widths", "num_res_blocks")
        expected = {key: getattr(own, key) for key in shared}
        expected |= {f"streams.{stream}": slot.width for stream, slot in own.streams.items()}
        expected |= {f"vectors.{vector}": width for vector, width in own.vectors.items()}
        what = f"a ControlNet for {name_family(own)}"
        check_family(name, what, expected, denoiser)
        super().check(name, conditioner, denoiser)
