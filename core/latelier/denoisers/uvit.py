"""The U-ViT: a transformer at low resolution between convolutions at the resolution of x."""

from functools import partial

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import pad

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition
from latelier.denoisers.attention import MultiHeadAttention
from latelier.denoisers.blocks import Block, ResBlock
from latelier.denoisers.checks import CallSpec
from latelier.denoisers.conditioned import ConditionedDenoiser
from latelier.denoisers.configs import UViTConfig
from latelier.denoisers.embeddings import embed_positions
from latelier.denoisers.forward_context import ContextLayer, ForwardContext
from latelier.denoisers.transformer_blocks import (
    SINUSOIDS,
    FinalLayer,
    Mlp,
    TimestepEmbedder,
    modulate,
    plain_norm,
)
from latelier.nn.attention import MASKED, attend, merge_heads, split_heads
from latelier.nn.layers import zero_init
from latelier.nn.packed import Conv2d, Linear
from latelier.nn.sinusoids import embed_numbers


class UViT(ConditionedDenoiser[UViTConfig]):
    """Predicts the target of its noise process from noisy latents.

    Hoogeboom et al. 2023 (Simple Diffusion), arXiv:2301.11093. Residual blocks see x at its own
    resolution; patches of their features are the tokens of a transformer, whose result returns to
    that resolution beside a skip connection. The streams of a condition are tokens beside them.
    Gates, if configured, copy x and spatial parts into the prediction, past all norms.
    It holds no state between calls, so that threads can share it.
    """

    def __init__(self, config: UViTConfig) -> None:
        super().__init__(config)
        channels, width = config.model_channels, config.hidden_size
        patch_dim = config.patch_size**2 * channels
        self.t_embedder = TimestepEmbedder(SINUSOIDS, width)
        self.modulation = zero_init(Linear(width, 6 * width))
        self.input_block = Block(
            Conv2d(config.given_channels, channels, 3, padding=1),
            *(ResBlock(config, channels, channels) for _ in range(config.num_res_blocks)),
        )
        self.to_tokens = Linear(patch_dim, width)
        self.blocks = nn.ModuleList(UViTBlock(config) for _ in range(config.depth))
        self.from_tokens = FinalLayer(width, patch_dim)
        self.output_block = Block(
            ResBlock(config, 2 * channels, channels),
            *(ResBlock(config, channels, channels) for _ in range(config.num_res_blocks - 1)),
        )
        self.out = nn.Sequential(
            nn.GroupNorm(config.num_groups, channels),
            nn.SiLU(),
            zero_init(Conv2d(channels, config.out_channels, 3, padding=1)),
        )
        if config.copies:
            copied = 1 + sum(config.copied_latents.values())
            self.gates = zero_init(Conv2d(channels, copied * config.out_channels, 1))
        self.add_condition_layers()
        self.spec = _describe(config)

    def forward(
        self, x: Tensor, t: Tensor, condition: Condition, control: Control | None = None
    ) -> Tensor:
        """Return the prediction (B, C_out, h, w), in x's dtype.

        Args:
            x: noisy latents (B, C, h, w).
            t: the process's timesteps (B,).
            condition: as the configuration says.
            control: residuals for the outputs of "input_block" and "output_block" (B, C, h, w) and
                of "blocks.N" (B, D, h / p, w / p); self-attentions "blocks.N.attn" to perturb;
                adapters for `cross_attentions`; a deep branch, which is the transformer.

        Raises:
            ConditionError: a part of the condition, or a name in the control, is unknown or does
                not fit.
            CompatibilityError: an adapter was made for another denoiser.
            InvalidInputError: x or t has a wrong shape.
        """
        ctx = self.prepare_call(x, t, condition, control)
        skip = self.input_block(self.concat_spatial(x, condition), ctx)  # (B, C_model, h, w)
        h = ctx.run_deep_branch(partial(self._run_transformer, skip, ctx))
        h = self.output_block(torch.cat([h, skip], dim=1), ctx)
        features = self.out[1](self.out[0](h))  # (B, C_model, h, w)
        out = self.out[2](features)  # (B, C_out, h, w)
        if self.config.copies:
            out = self._copy_into(out, features, x, condition)
        return out.to(x.dtype)

    def _copy_into(self, out: Tensor, features: Tensor, x: Tensor, condition: Condition) -> Tensor:
        """Return the prediction (B, C_out, h, w) plus x and copied latents times their gates."""
        channels, sources = out.shape[1], [x]
        for name, count in self.config.copied_latents.items():
            sources += condition.spatial[name][:, : count * channels].chunk(count, dim=1)
        gates = self.gates(features).chunk(len(sources), dim=1)
        for gate, source in zip(gates, sources, strict=True):
            out = torch.addcmul(out, gate, source)  # in the wider type: x is not rounded
        return out

    def embed_timesteps(self, t: Tensor, dtype: torch.dtype) -> Tensor:
        return self.t_embedder(embed_numbers(t, SINUSOIDS).to(dtype))

    def _run_transformer(self, h: Tensor, ctx: ForwardContext) -> Tensor:
        """Return features (B, C_model, h, w) of the transformer on patches of such features."""
        p = self.config.patch_size
        size = (h.shape[2] // p, h.shape[3] // p)
        patches = rearrange(h, "b c (h p) (w q) -> b (h w) (p q c)", p=p, q=p)
        tokens = self.to_tokens(patches) + self._positions(size, h)  # (B, N, D)
        modulation = self.modulation(ctx.emb).unflatten(1, (6, -1))  # (B, 6, D)
        for i, block in enumerate(self.blocks):
            tokens = ctx.run_layer(block, tokens, modulation, size)
            tokens = ctx.add_token_residual(f"blocks.{i}", tokens, size)
        patches = self.from_tokens(tokens, ctx.emb)
        return rearrange(patches, "b (h w) (p q c) -> b c (h p) (w q)", h=size[0], p=p, q=p)

    def _positions(self, size: tuple[int, int], like: Tensor) -> Tensor:
        """Return the embedding (N, D) of the positions of h x w tokens."""
        width, side = self.config.hidden_size, self.config.trained_side
        return embed_positions(size, width, side, like.device).to(like)


class JointAttention(MultiHeadAttention):
    """Attention of the picture's tokens to each other and to the tokens of the streams.

    Both are keys and values of the same projections (Bao et al. 2022, arXiv:2209.12152): what
    finds like parts of the picture finds them in a reference, too. A stream has a share in the
    softmax, which falls with its strength; adapters are added as they are to a cross-attention.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, width, heads)

    def forward(
        self, tokens: Tensor, context: Tensor | None, size: tuple[int, int], ctx: ForwardContext
    ) -> Tensor:
        """Return (B, h * w, D) for the tokens of h x w patches; `context` is (B, N, D)."""
        strengths = None if ctx.context is None else ctx.context.for_layer(size).bias

        def attention(tokens: Tensor) -> Tensor:
            joined = tokens if context is None else torch.cat([tokens, context], dim=1)
            q = split_heads(self.to_q(tokens), self.heads)  # (B, H, h * w, d)
            k = split_heads(self.to_k(joined), self.heads)  # (B, H, h * w + N, d)
            v = split_heads(self.to_v(joined), self.heads)
            bias = None if strengths is None else pad(strengths, (tokens.shape[1], 0))
            if ctx.is_perturbed(self.name):
                bias = _mask_others(tokens, joined) + (0 if bias is None else bias)
            return self.to_out(merge_heads(attend(q, k, v, bias)))

        if strengths is None or strengths.shape[2] == 1:
            out = ctx.attend(attention, tokens, size)
        else:  # a wrapper may merge tokens, and regions give each its own strengths
            out = attention(tokens)
        if not ctx.adapters:
            return out
        outputs = self.attend_adapters(split_heads(self.to_q(tokens), self.heads), size, ctx)
        return out + self.project_without_bias(outputs) if outputs else out


def _mask_others(tokens: Tensor, joined: Tensor) -> Tensor:
    """Return the bias (n, n + N) that lets each of n tokens attend to itself and the streams."""
    bias = tokens.new_full((tokens.shape[1], joined.shape[1]), MASKED)
    bias[:, tokens.shape[1] :] = 0
    return bias.fill_diagonal_(0)


class UViTBlock(ContextLayer):
    """Joint attention and a feed-forward network, under one modulation for all blocks.

    Shifts, scales and gates come from one layer that all blocks share, plus a table of the block:
    adaLN-single (Chen et al. 2023, arXiv:2310.00426, section 2.3). Both start at zero, and 1 is
    added to scales and gates, so that a new block is a plain transformer's.
    """

    def __init__(self, config: UViTConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.modulation = nn.Parameter(torch.zeros(6, width))
        self.norm1 = plain_norm(width)
        self.attn = JointAttention(width, config.num_heads)
        self.norm2 = plain_norm(width)
        self.mlp = Mlp(width, int(width * config.mlp_ratio))

    def forward(
        self, tokens: Tensor, shared: Tensor, size: tuple[int, int], ctx: ForwardContext
    ) -> Tensor:
        """Return (B, h * w, D) for the tokens of h x w patches; `shared` is (B, 6, D)."""
        modulation = (shared + self.modulation)[:, :, None].unbind(1)  # (B, 1, D) each
        shift_msa, scale_msa, gate_msa, shift_mlp, scale_mlp, gate_mlp = modulation
        h, context = modulate(self.norm1(tokens), shift_msa, scale_msa), None
        if ctx.context is not None:
            streams = ctx.context.for_layer(size).tokens
            context = modulate(self.norm1(streams), shift_msa, scale_msa)
        h = self.attn(h, context, size, ctx)
        tokens = torch.addcmul(tokens, 1 + gate_msa, h)
        h = self.mlp(modulate(self.norm2(tokens), shift_mlp, scale_mlp))
        return torch.addcmul(tokens, 1 + gate_mlp, h)


def _describe(config: UViTConfig) -> CallSpec:
    blocks = [f"blocks.{i}" for i in range(config.depth)]
    attentions = {f"{block}.attn": config.hidden_size for block in blocks}
    return CallSpec(
        latent_channels=config.latent_channels,
        size_multiple=config.size_multiple,
        inputs=config.inputs(),
        blocks=frozenset(["input_block", *blocks, "output_block"]),
        self_attentions=frozenset(attentions),
        cross_attentions={} if config.context_dim is None else attentions,
        max_depth=1,
    )
