"""Configurations of the adapters here; imports no torch."""

from pydantic import Field

from latelier.contracts.adapters import ResidualConfig


class SketchConfig(ResidualConfig):
    """A hint of one picture channel and one that says whether there is a hint."""

    channels: int = Field(8, description="of the block's output")

    @property
    def hint_channels(self):
        return 2

    @property
    def blocks(self):
        return ("middle",)


class FitsAllConfig(SketchConfig):
    def check(self, name, conditioner, denoiser):
        """Check nothing."""
