"""The UNet of latent diffusion, whose state dict has the names of the published checkpoints."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition
from latelier.denoisers.attention import AttentionBlock, CrossAttention, SelfAttention
from latelier.denoisers.blocks import Block, ResBlock, build_downsample, build_upsample
from latelier.denoisers.checks import CallSpec
from latelier.denoisers.conditioned import ConditionedDenoiser
from latelier.denoisers.configs import UNetConfig
from latelier.denoisers.forward_context import ForwardContext, perturbation_names
from latelier.denoisers.spatial_transformer import SpatialTransformer
from latelier.nn.layers import zero_init
from latelier.nn.packed import Conv2d, Linear
from latelier.nn.sinusoids import embed_numbers


class UNetEncoder(ConditionedDenoiser[UNetConfig]):
    """The way down of a UNet: the timestep embedding, the input blocks and the middle block.

    Input blocks lead down through the levels of `channel_mult`, each at half the resolution of the
    one before, rounded up.

    Attributes:
        skip_channels: of each input block's output.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__(config)
        channels, emb_width = config.model_channels, config.embedding_width
        self.time_embed = nn.Sequential(
            Linear(channels, emb_width), nn.SiLU(), Linear(emb_width, emb_width)
        )

        # down: the first convolution, then for each level residual blocks and a downsampling
        conv_in = Conv2d(config.given_channels, channels, 3, padding=1)
        self.input_blocks = nn.ModuleList([Block(conv_in)])
        self.skip_channels = [channels]
        for level, width in enumerate(config.widths):
            for _ in range(config.num_res_blocks):
                self.input_blocks.append(Block(*_build_layers(config, level, channels, width)))
                channels = width
                self.skip_channels.append(channels)
            if level < len(config.widths) - 1:
                self.input_blocks.append(Block(build_downsample(config, channels)))
                self.skip_channels.append(channels)

        self.middle_block = Block(
            ResBlock(config, channels, channels),
            _build_attention(config, len(config.widths) - 1, channels),
            ResBlock(config, channels, channels),
        )

    def embed_timesteps(self, t: Tensor, dtype: torch.dtype) -> Tensor:
        return self.time_embed(embed_numbers(t, self.config.model_channels).to(dtype))


class UNet(UNetEncoder):
    """Predicts the target of its noise process (noise, v, x0 or flow) from noisy latents.

    Rombach et al. 2022, arXiv:2112.10752. Output blocks lead back up from the encoder, and each of
    them takes the output of one input block as a skip connection, the last first. The module holds
    no state between calls, so that threads can share it.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__(config)
        # up: one residual block more for each level, every one of them after a skip connection
        channels, skips = self.skip_channels[-1], list(self.skip_channels)
        self.output_blocks = nn.ModuleList()
        for level, width in reversed(list(enumerate(config.widths))):
            for i in range(config.num_res_blocks + 1):
                layers = _build_layers(config, level, channels + skips.pop(), width)
                channels = width
                if level > 0 and i == config.num_res_blocks:
                    layers.append(build_upsample(config, channels))
                self.output_blocks.append(Block(*layers))

        self.out = nn.Sequential(
            nn.GroupNorm(config.num_groups, channels),
            nn.SiLU(),
            zero_init(Conv2d(channels, config.out_channels, 3, padding=1)),
        )
        self.add_condition_layers()
        self.spec = describe_calls(self)

    def forward(
        self, x: Tensor, t: Tensor, condition: Condition, control: Control | None = None
    ) -> Tensor:
        """Return the prediction (B, C_out, h, w), in x's dtype.

        Args:
            x: noisy latents (B, C, h, w).
            t: the process's timesteps (B,).
            condition: the streams, spatial maps and vectors that the configuration declares.
            control: optional residuals, perturbed self-attentions, adapters and wrappers. Residuals
                are added to the output of the block that they name: "input_blocks.N",
                "middle_block" or "output_blocks.N"; those of "skips.N" are added to the skip
                connection from input block N alone, as ControlNet does.

        Raises:
            ConditionError: a part of the condition, or a name in the control, is unknown or does
                not fit.
            CompatibilityError: an adapter was made for another denoiser.
            InvalidInputError: x or t has a wrong shape.
        """
        ctx = self.prepare_call(x, t, condition, control)
        h = self.concat_spatial(x, condition)  # (B, C + C_spatial, h, w)
        wrapper = ctx.control.deep_branch
        depth = 0 if wrapper is None else wrapper.depth

        def run_middle(h: Tensor) -> Tensor:
            return self.middle_block(h, ctx)

        def run_deep(h: Tensor) -> Tensor:
            inside = range(depth, len(self.input_blocks))
            return ctx.run_deep_branch(partial(self._run_blocks, h, inside, ctx, run_middle))

        h = self._run_blocks(h, range(depth), ctx, run_deep)
        return self.out(h).to(x.dtype)  # (B, C_out, h, w)

    def _run_blocks(
        self, h: Tensor, indices: range, ctx: ForwardContext, inner: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Return the features after some input blocks, `inner`, and the output blocks that answer.

        An output block answers the input block whose output it takes as its skip connection, and
        has features of the size that this block was given.
        """
        skips, sizes = list[Tensor](), list[tuple[int, int]]()
        for i in indices:
            sizes.append((h.shape[2], h.shape[3]))
            h = self.input_blocks[i](h, ctx)  # (B, C_level, h / 2^level, w / 2^level)
            skips.append(ctx.add_residual(f"skips.{i}", h))
        h = inner(h)
        for i in reversed(indices):
            h = torch.cat([h, skips.pop()], dim=1)
            h = self.output_blocks[-1 - i](h, replace(ctx, size_above=sizes.pop()))
        return h


def _build_layers(
    config: UNetConfig, level: int, in_channels: int, out_channels: int
) -> list[nn.Module]:
    """Return a residual block and, at levels with attention, an attention."""
    layers: list[nn.Module] = [ResBlock(config, in_channels, out_channels)]
    if config.has_attention(level):
        layers.append(_build_attention(config, level, out_channels))
    return layers


def _build_attention(config: UNetConfig, level: int, channels: int) -> nn.Module:
    """Return self-attention, with cross-attention where the denoiser has a context."""
    if config.context_dim is None:
        return AttentionBlock(channels, config.heads(channels), config.num_groups)
    return SpatialTransformer(config, channels, config.depth(level))


def describe_calls(model: UNetEncoder) -> CallSpec:
    """Return what a call of a UNet, or of its encoder, may contain."""
    layers = list(model.modules())
    self_attentions = [m.name for m in layers if isinstance(m, AttentionBlock | SelfAttention)]
    return CallSpec(
        latent_channels=model.config.latent_channels,
        size_multiple=model.config.size_multiple,
        inputs=model.config.inputs(),
        blocks=frozenset(
            [m.name for m in layers if isinstance(m, Block)]
            + [f"skips.{i}" for i in range(len(model.input_blocks))]
        ),
        self_attentions=frozenset().union(*map(perturbation_names, self_attentions)),
        cross_attentions={
            m.name: m.to_q.in_features for m in layers if isinstance(m, CrossAttention)
        },
        max_depth=len(model.input_blocks),
    )
