"""The UNet of latent diffusion, whose state dict has the names of the published checkpoints."""

import torch
from torch import Tensor, nn

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition
from latelier.denoisers.attention import AttentionBlock
from latelier.denoisers.checks import CallSpec
from latelier.denoisers.conditioned import ConditionedDenoiser
from latelier.denoisers.configs import UNetConfig
from latelier.denoisers.embeddings import embed_timesteps
from latelier.denoisers.injection import build_stream_layers
from latelier.denoisers.spatial_transformer import TransformerBlock
from latelier.denoisers.unet_builder import UNetBuilder
from latelier.denoisers.vectors import build_vector_layers
from latelier.nn.layers import zero_init


class UNet(ConditionedDenoiser[UNetConfig]):
    """Predicts the target of its noise process (noise, v, x0 or flow) from noisy latents.

    Rombach et al. 2022, arXiv:2112.10752. Each level of `channel_mult` has `num_res_blocks`
    residual blocks, with attention at the resolutions of the configuration, and all but the last
    halve the resolution. The way up mirrors the way down with one block more for each level, and
    receives its outputs in reverse order. The module holds no state between calls, so that threads
    can share it.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__(config)
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
        self.stream_projections, self.stream_embeddings = build_stream_layers(config)
        self.vector_embeds = build_vector_layers(config)
        self.spec = _describe(self)

    def forward(
        self, x: Tensor, t: Tensor, condition: Condition, control: Control | None = None
    ) -> Tensor:
        """Return the prediction (B, C_out, h, w), in x's dtype.

        Args:
            x: noisy latents (B, C, h, w).
            t: the process's timesteps (B,).
            condition: the streams, spatial maps and vectors that the configuration declares.
            control: optional residuals, perturbed self-attentions and adapters. Residuals are added
                to the output of the block that they name: "input_blocks.N", "middle_block" or
                "output_blocks.N"; those of "skips.N" are added to the skip connection from input
                block N alone, as ControlNet does.

        Raises:
            ConditionError: a part of the condition, or a name in the control, is unknown or does
                not fit.
            CompatibilityError: an adapter was made for another denoiser.
            InvalidInputError: x or t has a wrong shape.
        """
        ctx = self.prepare_call(x, t, condition, control)
        h = self.concat_spatial(x, condition)  # (B, C + C_spatial, h, w)
        skips: list[Tensor] = []
        for i, block in enumerate(self.input_blocks):
            h = ctx.add_residual(f"input_blocks.{i}", block(h, ctx))
            skips.append(ctx.add_residual(f"skips.{i}", h))
        h = ctx.add_residual("middle_block", self.middle_block(h, ctx))
        for i, block in enumerate(self.output_blocks):
            h = torch.cat([h, skips.pop()], dim=1)
            for layer in block.children():  # one by one, so that the joined h can be freed
                h = ctx.run_layer(layer, h)
            h = ctx.add_residual(f"output_blocks.{i}", h)
        return self.out(h).to(x.dtype)

    def embed_timesteps(self, t: Tensor, dtype: torch.dtype) -> Tensor:
        return self.time_embed(embed_timesteps(t, self.config.model_channels).to(dtype))


def _describe(model: UNet) -> CallSpec:
    kinds = ("input_blocks", "skips", "output_blocks")
    numbers = range(len(model.input_blocks))  # as many as output blocks
    attentions = [m for m in model.modules() if isinstance(m, AttentionBlock | TransformerBlock)]
    return CallSpec(
        latent_channels=model.config.latent_channels,
        size_multiple=model.config.size_multiple,
        inputs=model.config.inputs(),
        blocks=frozenset({"middle_block", *(f"{kind}.{i}" for kind in kinds for i in numbers)}),
        self_attentions=frozenset().union(*(each.self_attention_names for each in attentions)),
        cross_attentions={
            block.attn2.name: block.attn2.to_q.in_features
            for block in attentions
            if isinstance(block, TransformerBlock)
        },
    )
