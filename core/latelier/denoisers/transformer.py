"""The diffusion transformer, whose state dict has the names of the published checkpoints."""

import torch
from einops import rearrange
from torch import Tensor, nn

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition
from latelier.denoisers.checks import CallSpec
from latelier.denoisers.conditioned import ConditionedDenoiser
from latelier.denoisers.configs import TransformerConfig
from latelier.denoisers.embeddings import embed_positions
from latelier.denoisers.transformer_blocks import (
    SINUSOIDS,
    DiTBlock,
    FinalLayer,
    PatchEmbedder,
    TimestepEmbedder,
)
from latelier.nn.layers import zero_init
from latelier.nn.sinusoids import embed_numbers


class Transformer(ConditionedDenoiser[TransformerConfig]):
    """Predicts what its noise process is trained on (noise, v, ...) from patches of noisy latents.

    Peebles and Xie 2022, arXiv:2212.09748. The class of the published models is a native vector.
    Their checkpoints also hold its table (`y_embedder`, here the conditioner's) and the positions
    (`pos_embed`, here computed). It holds no state between calls, so that threads can share it.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        width, p = config.hidden_size, config.patch_size
        channels = 2 * config.out_channels if config.learn_sigma else config.out_channels
        self.x_embedder = PatchEmbedder(config.given_channels, width, p)
        self.t_embedder = TimestepEmbedder(SINUSOIDS, width)
        self.blocks = nn.ModuleList(DiTBlock(config) for _ in range(config.depth))
        self.final_layer = FinalLayer(width, patch_dim=p * p * channels)
        self.add_condition_layers()
        self.spec = _describe(config)
        self._init_weights()

    def forward(
        self, x: Tensor, t: Tensor, condition: Condition, control: Control | None = None
    ) -> Tensor:
        """Return the prediction (B, C_out, h, w), in x's dtype.

        Args:
            x: noisy latents (B, C, h, w).
            t: the process's timesteps (B,).
            condition: as the configuration says.
            control: residuals (B, D, h / p, w / p) for the outputs of "blocks.N"; self-attentions
                "blocks.N.attn" to perturb; adapters for `cross_attentions`.

        Raises:
            ConditionError: a part of the condition, or a name in the control, is unknown or does
                not fit.
            CompatibilityError: an adapter was made for another denoiser.
            InvalidInputError: x or t has a wrong shape.
        """
        ctx = self.prepare_call(x, t, condition, control)
        patches = self.x_embedder(self.concat_spatial(x, condition))  # (B, D, h / p, w / p)
        size = (patches.shape[2], patches.shape[3])
        tokens = rearrange(patches, "b d h w -> b (h w) d") + self._positions(size, patches)
        for i, block in enumerate(self.blocks):
            tokens = ctx.run_layer(block, tokens, size)  # (B, N, D)
            tokens = ctx.add_token_residual(f"blocks.{i}", tokens, size)
        patches = self.final_layer(tokens, ctx.emb)  # (B, N, p * p * channels)
        return self._unpatchify(patches, size).to(x.dtype)  # (B, C_out, h, w)

    def embed_timesteps(self, t: Tensor, dtype: torch.dtype) -> Tensor:
        return self.t_embedder(embed_numbers(t, SINUSOIDS).to(dtype))

    def _positions(self, size: tuple[int, int], like: Tensor) -> Tensor:
        """Return the embedding (N, D) of the positions of h x w patches."""
        width, side = self.config.hidden_size, self.config.trained_side
        return embed_positions(size, width, side, like.device).to(like)

    def _unpatchify(self, patches: Tensor, size: tuple[int, int]) -> Tensor:
        """Return (B, C_out, h * p, w * p) of h x w patches; further channels are dropped."""
        p = self.config.patch_size
        pixels = rearrange(patches, "b n (p q c) -> b n p q c", p=p, q=p)
        pixels = pixels[..., : self.config.out_channels]
        return rearrange(pixels, "b (h w) p q c -> b c (h p) (w q)", h=size[0])

    def _init_weights(self) -> None:
        """Initialise as the published models: Glorot weights and zero biases.

        The patches' convolution counts as the linear layer that it is; the timestep's layers have a
        deviation of 0.02. The modulations and the last layer start at zero (adaLN-Zero,
        arXiv:2212.09748, section 3.2), as do the outputs of cross-attention.
        """
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.xavier_uniform_(module.weight.flatten(1))
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for name, parameter in self.t_embedder.named_parameters():
            if name.endswith("weight"):
                nn.init.normal_(parameter, std=0.02)
        for name, module in self.named_modules():
            if name.endswith(("adaLN_modulation", "cross_attn.to_out", "final_layer.linear")):
                zero_init(module)


def _describe(config: TransformerConfig) -> CallSpec:
    blocks = [f"blocks.{i}" for i in range(config.depth)]
    cross_attentions = {f"{block}.cross_attn": config.hidden_size for block in blocks}
    return CallSpec(
        latent_channels=config.latent_channels,
        size_multiple=config.size_multiple,
        inputs=config.inputs(),
        blocks=frozenset(blocks),
        self_attentions=frozenset(f"{block}.attn" for block in blocks),
        cross_attentions={} if config.context_dim is None else cross_attentions,
    )
