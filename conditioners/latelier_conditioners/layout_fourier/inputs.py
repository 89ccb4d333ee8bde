"""Configuration of the Fourier layout conditioner. Its input is a `Layout`."""

from typing import Self

from pydantic import Field, model_validator

from latelier.contracts.bounds import Layers, Width
from latelier.contracts.configs import OutputSpec
from latelier_conditioners.layout.inputs import ObjectsConfig


class LayoutFourierConfig(ObjectsConfig):
    """One token an object, for its class and its exact box, through a small transformer."""

    width: Width = Field(description="width of the encoder and of its tokens")
    layers: Layers = Field(default=2, ge=0, description="transformer layers")
    heads: Width = Field(default=4, description="attention heads; must divide the width")
    frequencies: int = Field(
        default=8, ge=1, le=16, description="octaves of the Fourier features of a coordinate"
    )

    def outputs(self) -> OutputSpec:
        return OutputSpec(stream=self.width)

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads={self.heads} does not divide width={self.width}")
        return self
