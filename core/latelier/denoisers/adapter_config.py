"""The configuration of an adapter. It needs no torch."""

from typing import Annotated

from pydantic import Field

from latelier.kernel.frozen import Frozen

Width = Annotated[int, Field(ge=1, le=65_536)]


class ProjectionConfig(Frozen):
    """What makes tokens for the keys and values of the tokens of a stream."""

    width: Width = Field(description="width of the tokens it makes")
    tokens: int = Field(
        default=1,
        ge=1,
        le=1024,
        description="how many it makes of each token of the stream: IP-Adapter makes 4 of an "
        "image's vector",
    )


class AdapterConfig(Frozen):
    """Decoupled cross-attention (IP-Adapter, arXiv:2308.06721, section 3.2)."""

    width: Width = Field(description="width D of the stream's tokens (B, N, D)")
    projection: ProjectionConfig | None = Field(
        default=None, description="a linear layer and a norm; None: the tokens as they are"
    )
    layers: dict[str, Width] = Field(
        min_length=1,
        description="the cross-attentions that it is added to, as the denoiser names them -> "
        "width of their queries",
    )

    @property
    def key_width(self) -> int:
        """Width of the tokens that keys and values are made of."""
        return self.projection.width if self.projection else self.width
