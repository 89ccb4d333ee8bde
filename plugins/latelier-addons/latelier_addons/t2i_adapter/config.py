"""The configuration of T2I-Adapters. It needs no torch."""

from collections.abc import Collection
from typing import Any, Literal

from latelier.contracts.adapters import ResidualConfig
from latelier.contracts.bounds import Blocks, Width, Widths
from latelier.contracts.configs import ConditionerConfig
from pydantic import Field

from latelier_addons.families import check_family, name_unet

HINT_PATCH = 8
"""Pixels a side of one cell of the latents, in all models that have T2I-Adapters."""

_XL_BLOCKS = ("input_blocks.3", "input_blocks.5", "input_blocks.8", "middle_block")
_UNET_RES_BLOCKS = 2


class T2IAdapterConfig(ResidualConfig):
    """Features of a hint at each resolution (Mou et al. 2023, arXiv:2302.08453, section 3.3)."""

    variant: Literal["full", "light", "full_xl"] = Field(
        default="full",
        description="full: for Stable Diffusion; light: with a quarter of the channels inside; "
        "full_xl: for SDXL",
    )
    widths: Widths = Field(
        default=(320, 640, 1280, 1280), description="channels of the features, four in all"
    )
    num_res_blocks: Blocks = Field(
        default=2, ge=1, description="residual blocks for each of the features"
    )
    colors: Literal[1, 3] = Field(default=3, description="1: the hint is read as grey")

    @property
    def hint_channels(self) -> Width:
        return 3 * HINT_PATCH**2 + 1

    @property
    def blocks(self) -> Collection[str]:
        if self.variant == "full_xl":
            return _XL_BLOCKS
        return [f"input_blocks.{3 * level + 2}" for level in range(len(self.widths))]

    @property
    def unet_widths(self) -> list[int]:
        """Channels of the levels of the UNet. Of SDXL the last feature is for the middle."""
        return list(self.widths[:-1] if self.variant == "full_xl" else self.widths)

    @property
    def family(self) -> str:
        """For which models it is, for messages."""
        names = {
            (320, 640, 1280, 1280): "Stable Diffusion 1 or 2",
            (320, 640, 1280): "Stable Diffusion XL",
        }
        return names.get(tuple(self.unet_widths), name_unet(self.unet_widths))

    def check(self, name: str, conditioner: ConditionerConfig | None, denoiser: Any) -> None:
        """Check the hint, and that the denoiser is a UNet with these levels."""
        expected = {"widths": self.unet_widths, "num_res_blocks": _UNET_RES_BLOCKS}
        check_family(name, f"a T2I-Adapter for {self.family}", expected, denoiser)
        super().check(name, conditioner, denoiser)
