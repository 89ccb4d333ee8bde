"""The configuration of the adapter of `residuals_plugin`, without torch."""

from pydantic import Field

from latelier.contracts.adapters import ResidualConfig


class EdgesConfig(ResidualConfig):
    channels: int = Field(32, description="of the block's output")
    block: str = Field("middle_block", description="to which residuals are added")

    @property
    def hint_channels(self):
        return 13

    @property
    def blocks(self):
        return {self.block}
