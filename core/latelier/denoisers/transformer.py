"""The diffusion transformer, whose state dict has the names of the published checkpoints."""

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition
from latelier.denoisers.adapter import adapted
from latelier.denoisers.checks import check_condition, check_control, check_input, residual_for
from latelier.denoisers.configs import TransformerConfig
from latelier.denoisers.embeddings import position_embedding, timestep_embedding
from latelier.denoisers.forward_context import Call
from latelier.denoisers.injection import injected, stream_layers
from latelier.denoisers.transformer_blocks import (
    DiTBlock,
    FinalLayer,
    PatchEmbedder,
    TimestepEmbedder,
)
from latelier.denoisers.vectors import vector_layers, with_vectors
from latelier.nn.layers import zero_init

SINUSOIDS = 256
"""Width of the sinusoidal embedding of the timestep, the same in every published model."""


class Transformer(nn.Module):
    """Predicts the noise, or what else its process asks for, from the patches of noisy latents.

    Peebles and Xie 2022, arXiv:2212.09748. The published models are told of a class by a native
    vector. Their checkpoints hold beside these weights its table (`y_embedder`, here the
    conditioner's) and the positions (`pos_embed`, here computed). It holds no state between calls,
    so many threads can call it at once.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self._config = config
        self._takes = config.inputs()
        width = config.hidden_size
        numbers = config.patch_size**2 * config.out_channels * (2 if config.learn_sigma else 1)
        self.x_embedder = PatchEmbedder(config.given_channels, width, config.patch_size)
        self.t_embedder = TimestepEmbedder(SINUSOIDS, width)
        self.blocks = nn.ModuleList(
            DiTBlock(
                width,
                config.num_heads,
                int(width * config.mlp_ratio),
                config.context_dim,
                f"blocks.{i}",
            )
            for i in range(config.depth)
        )
        self.final_layer = FinalLayer(width, numbers)
        self.stream_projections, self.stream_embeddings = stream_layers(
            config.streams, config.context_dim
        )
        self.vector_embeds = vector_layers(config)
        self._block_names = frozenset(f"blocks.{i}" for i in range(config.depth))
        self._attention_names = frozenset(f"{name}.attn" for name in self._block_names)
        names = (f"blocks.{i}.cross_attn" for i in range(config.depth))
        self._cross_attentions = {} if config.context_dim is None else dict.fromkeys(names, width)
        self._initialise()

    @property
    def cross_attentions(self) -> Mapping[str, int]:
        """The cross-attention layers that adapters may serve, and the width of their queries."""
        return MappingProxyType(self._cross_attentions)

    @property
    def config(self) -> TransformerConfig:
        """The configuration that it was built with."""
        return self._config

    def forward(
        self, x: Tensor, t: Tensor, condition: Condition, control: Control | None = None
    ) -> Tensor:
        """Return the prediction (B, C_out, h, w), as x's dtype.

        x: (B, C, h, w) noisy latents. t: (B,), the process's timesteps. `control` may add
        residuals (B, hidden_size, h / patch_size, w / patch_size) to the outputs of "blocks.N",
        pass the values through the self-attentions "blocks.N.attn", and add what adapters find to
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

        tokens, grid = self._tokens(x, condition)
        for i, block in enumerate(self.blocks):
            tokens = _steered(control, f"blocks.{i}", call.applied(block, tokens, grid), grid)
        patches = self.final_layer(tokens, call)
        return self._prediction(patches, grid).to(x.dtype)

    def _embedded(self, x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """Return the timestep embedding with the vectors added, after its SiLU: (B, D)."""
        emb = self.t_embedder(timestep_embedding(t, SINUSOIDS).to(x.dtype))
        emb = with_vectors(emb, condition, self._config, self.vector_embeds)
        return nn.functional.silu(emb)

    def _tokens(self, x: Tensor, condition: Condition) -> tuple[Tensor, tuple[int, int]]:
        """Return the tokens (B, h * w, D) of the patches, and their grid (h, w)."""
        config = self._config
        given = torch.cat([x, *(condition.spatial[name] for name in config.spatial)], dim=1)
        patches = self.x_embedder(given)
        grid = (patches.shape[2], patches.shape[3])
        trained_side = config.input_size // config.patch_size
        positions = position_embedding(grid, config.hidden_size, trained_side, x.device)
        tokens = patches.flatten(2).transpose(1, 2)  # (B, D, h, w) -> (B, h * w, D)
        return tokens + positions.to(tokens.dtype), grid

    def _prediction(self, patches: Tensor, grid: tuple[int, int]) -> Tensor:
        """Return (B, C_out, h * p, w * p) of patches (B, h * w, p * p * C), the channel innermost.

        Of more channels than C_out the first are the prediction.
        """
        (h, w), p = grid, self._config.patch_size
        split = patches.view(len(patches), h, w, p, p, -1)[..., : self._config.out_channels]
        # (B, h, w, p, p, C) -> (B, C, h, p, w, p)
        return split.permute(0, 5, 1, 3, 2, 4).reshape(len(patches), -1, h * p, w * p)

    def _initialise(self) -> None:
        """Draw the weights as the published models were: after Glorot, with biases of zero.

        The patches' convolution is drawn as the linear layer that it is; the layers of the timestep
        have a deviation of 0.02. Zero are the modulations and the last layer (adaLN-Zero,
        arXiv:2212.09748, section 3.2), and here the outputs of cross-attention.
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


def _steered(control: Control, name: str, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """Return what a block gave, with the residual for it added where there is one."""
    b, _, width = tokens.shape
    residual = residual_for(control, name, (b, width, *grid))
    return tokens if residual is None else tokens + residual.flatten(2).transpose(1, 2)
