"""The UNet of latent diffusion, whose state dict has the names of the published checkpoints."""

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition
from latelier.denoisers.adapter import adapted
from latelier.denoisers.attention import AttentionBlock, TransformerBlock
from latelier.denoisers.blocks import applied
from latelier.denoisers.checks import check_condition, check_control, check_input, residual_for
from latelier.denoisers.configs import UNetConfig
from latelier.denoisers.embeddings import timestep_embedding
from latelier.denoisers.forward_context import Call
from latelier.denoisers.injection import injected, stream_layers
from latelier.denoisers.unet_builder import UNetBuilder
from latelier.denoisers.vectors import vector_layers, with_vectors
from latelier.nn.layers import zero_init


class UNet(nn.Module):
    """Predicts the noise, or what else its process asks for, from noisy latents.

    Rombach et al. 2022, arXiv:2112.10752. It holds no state between calls, so many threads can
    call it at once.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self._config = config
        self._takes = config.inputs()
        width = config.embedding_width
        self.time_embed = nn.Sequential(
            nn.Linear(config.model_channels, width), nn.SiLU(), nn.Linear(width, width)
        )
        builder = UNetBuilder(config)
        self.input_blocks = builder.input_blocks()
        self.middle_block = builder.middle_block()
        self.output_blocks = builder.output_blocks()
        self.out = nn.Sequential(
            nn.GroupNorm(config.num_groups, builder.channels),
            nn.SiLU(),
            zero_init(nn.Conv2d(builder.channels, config.out_channels, 3, padding=1)),
        )
        self.stream_projections, self.stream_embeddings = stream_layers(
            config.streams, config.context_dim
        )
        self.vector_embeds = vector_layers(config)
        self._block_names = _block_names(len(self.input_blocks))
        self._attention_names = _attention_names(self)
        self._cross_attentions = _cross_attentions(self)

    @property
    def cross_attentions(self) -> Mapping[str, int]:
        """The cross-attention layers that adapters may serve, and the width of their queries."""
        return MappingProxyType(self._cross_attentions)

    @property
    def config(self) -> UNetConfig:
        """The configuration that it was built with."""
        return self._config

    def forward(
        self, x: Tensor, t: Tensor, condition: Condition, control: Control | None = None
    ) -> Tensor:
        """Return the prediction (B, C_out, h, w), as x's dtype.

        x: (B, C, h, w) noisy latents. t: (B,), the process's timesteps. `control` may add
        residuals to the outputs of "input_blocks.N", "middle_block" and "output_blocks.N", or to
        "skips.N", what input block N hands to its output block (there ControlNet acts); pass
        the values through self-attentions, named as their modules; and add what adapters find to
        `cross_attentions`.

        Raises:
            ConditionError: the condition is not what the configuration says, or the control names
                what there is not.
            InvalidInputError: x or t has a shape that the model cannot take.
        """
        control = control or Control()
        check_input(x, t, self._config)
        check_condition(condition, self._takes, x, control.adapters)
        check_control(control, self._block_names, self._attention_names, self._cross_attentions)
        context = injected(
            condition, self._takes.streams, self.stream_projections, self.stream_embeddings
        )
        emb = self._embedded(x, t, condition)
        adapters = adapted(control.adapters, condition)
        call = Call(
            emb, context, control.perturbed_attention, control.gradient_checkpointing, adapters
        )

        h = x
        if condition.spatial:
            h = torch.cat([x, *(condition.spatial[name] for name in self._takes.spatial)], dim=1)
        skips = []
        for i, block in enumerate(self.input_blocks):
            h = _steered(control, f"input_blocks.{i}", block(h, call))
            skips.append(_steered(control, f"skips.{i}", h))
        h = _steered(control, "middle_block", self.middle_block(h, call))
        for i, block in enumerate(self.output_blocks):
            h = torch.cat([h, skips.pop()], dim=1)
            for layer in block.children():  # block(h) would hold the joined features to its end
                h = applied(layer, h, call)
            h = _steered(control, f"output_blocks.{i}", h)
        prediction: Tensor = self.out(h)
        return prediction.to(x.dtype)

    def _embedded(self, x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """Return the timestep embedding with the vectors added, after its SiLU: (B, E)."""
        emb = self.time_embed(timestep_embedding(t, self._config.model_channels).to(x.dtype))
        emb = with_vectors(emb, condition, self._config, self.vector_embeds)
        return nn.functional.silu(emb)


def _steered(control: Control, name: str, h: Tensor) -> Tensor:
    """Return what a block gave, with the residual for it added where there is one."""
    residual = residual_for(control, name, h.shape)
    return h if residual is None else h + residual


def _block_names(blocks: int) -> frozenset[str]:
    """Return the places where residuals can be added; as many input as output blocks."""
    kinds = ("input_blocks", "skips", "output_blocks")
    return frozenset({"middle_block", *(f"{kind}.{i}" for kind in kinds for i in range(blocks))})


def _cross_attentions(model: nn.Module) -> dict[str, int]:
    """Return the widths of the cross-attention layers by name, in the order of the blocks."""
    return {
        module.cross_attention_name: module.attn2.to_q.in_features
        for module in model.modules()
        if isinstance(module, TransformerBlock)
    }


def _attention_names(model: nn.Module) -> frozenset[str]:
    """Return the names of the self-attention layers."""
    return frozenset(
        name
        for module in model.modules()
        if isinstance(module, AttentionBlock | TransformerBlock)
        for name in module.self_attention_names
    )
