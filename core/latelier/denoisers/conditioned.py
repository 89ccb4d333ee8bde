"""What the UNet and the transformer share: their conditions, and the preparation of a call."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition
from latelier.denoisers.adapter import activate_adapters
from latelier.denoisers.checks import CallSpec, check_call
from latelier.denoisers.configs import ConditionedConfig
from latelier.denoisers.forward_context import ForwardContext, name_layers
from latelier.denoisers.injection import build_context, build_stream_layers
from latelier.denoisers.vectors import (
    add_joint_vectors,
    add_vectors,
    build_joint_layers,
    build_vector_layers,
)
from latelier.nn.module import ConfiguredModule

C = TypeVar("C", bound=ConditionedConfig)


class ConditionedDenoiser(ConfiguredModule[C], ABC):
    """A denoiser whose streams, spatial maps and vectors are those of its configuration.

    Subclasses create their own layers, call `add_condition_layers`, and set `spec`.

    Attributes:
        stream_projections: of the named streams.
        stream_embeddings: of the named streams.
        vector_embeds: of the vectors that are neither native nor joint.
        label_emb: of the joint vectors; None without any.
        spec: what a call may contain.
    """

    stream_projections: nn.ModuleDict
    stream_embeddings: nn.ParameterDict
    vector_embeds: nn.ModuleDict
    label_emb: nn.Module | None
    spec: CallSpec

    def add_condition_layers(self) -> None:
        """Create the layers of the conditions, and name all layers."""
        self.stream_projections, self.stream_embeddings = build_stream_layers(self.config)
        self.vector_embeds = build_vector_layers(self.config)
        self.label_emb = build_joint_layers(self.config)
        name_layers(self)

    @abstractmethod
    def embed_timesteps(self, t: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the timestep embedding (B, E) of timesteps t (B,)."""

    @property
    def cross_attentions(self) -> Mapping[str, int]:
        """The cross-attentions that adapters can serve: name -> width of the queries."""
        return MappingProxyType(self.spec.cross_attentions)

    @property
    def residual_blocks(self) -> frozenset[str]:
        """The blocks to whose outputs residuals can be added, by name."""
        return self.spec.blocks

    def prepare_call(
        self, x: Tensor, t: Tensor, condition: Condition, control: Control | None
    ) -> ForwardContext:
        """Check the arguments of `forward` and return what the layers share.

        Raises:
            InvalidInputError: x or t has a wrong shape.
            ConditionError: a part of the condition, or a name in the control, is unknown or does
                not fit.
            CompatibilityError: an adapter was made for another denoiser.
        """
        control = control or Control()
        check_call(x, t, condition, control, self.spec)
        context = build_context(
            condition.streams, self.config, self.stream_projections, self.stream_embeddings
        )
        emb = self.embed_timesteps(t, x.dtype)
        emb = add_vectors(emb, condition.vectors, self.config, self.vector_embeds)
        if self.label_emb is not None:
            emb = add_joint_vectors(emb, condition.vectors, self.config, self.label_emb)
        adapters = activate_adapters(control.adapters, condition)
        return ForwardContext(t, silu(emb), context, adapters, control)

    def concat_spatial(self, x: Tensor, condition: Condition) -> Tensor:
        """Return x and the spatial maps as (B, C + C_spatial, h, w), in the configured order."""
        if not self.config.spatial:
            return x
        maps = [condition.spatial[name] for name in self.config.spatial]
        return torch.cat([x, *maps], dim=1)
