"""What the configurations of all denoisers share: the conditions that they take, by name."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from latelier.kernel.slots import DenoiserConfig, StreamSlot, Takes

Width = Annotated[int, Field(ge=1)]


class ConditionedConfig(DenoiserConfig):
    """Base of the configurations of denoisers that are told of their conditions in three ways.

    Streams are attended to, spatial maps are concatenated to x, and vectors are added to the
    embedding of the timestep.
    """

    in_channels: int = Field(ge=1, description="latent channels; spatial conditions not counted")
    out_channels: int = Field(ge=1, description="channels of the prediction")
    context_dim: int | None = Field(
        default=None,
        ge=1,
        description="width of the cross-attended context; None: self-attention only",
    )
    streams: dict[str, StreamSlot] = Field(
        default_factory=dict, description="streams attended to, by name, in order"
    )
    spatial: dict[str, Width] = Field(
        default_factory=dict, description="name -> channels, in the order of concatenation"
    )
    vectors: dict[str, Width] = Field(
        default_factory=dict, description="name -> width, each added to the timestep embedding"
    )
    native_vectors: tuple[str, ...] = Field(
        default=(),
        description="vectors that have the timestep embedding's width and are added as they are "
        "(published label embeddings); the others pass a linear layer",
    )

    @property
    def embedding_width(self) -> int:
        """Width of the timestep embedding."""
        raise NotImplementedError

    @property
    def latent_channels(self) -> int:
        """Channels of the x it denoises, spatial conditions not counted."""
        return self.in_channels

    @property
    def given_channels(self) -> int:
        """Channels of x and the spatial conditions together."""
        return self.in_channels + sum(self.spatial.values())

    @property
    def honours(self) -> frozenset[str]:
        """What it can obey."""
        always = {"masks", "regions", "residuals", "self_values", "recompute"}
        return frozenset(always if self.context_dim is None else {*always, "adapters"})

    def takes(self) -> Takes:
        """Return the conditions that it takes."""
        return Takes(streams=self.streams, spatial=self.spatial, vectors=self.vectors)

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
    def _check_names(self) -> Self:
        for name in (*self.streams, *self.spatial, *self.vectors):
            if not name.isidentifier():
                raise ValueError(
                    f"'{name}' is no name for a condition: use letters, digits and underscores"
                )
        return self
