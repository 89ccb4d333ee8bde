"""The control types of union ControlNets: one network for hints of several types."""

import torch
from latelier.denoisers.configs import UNetConfig
from latelier.nn.layers import zero_init
from latelier.nn.packed import Linear
from latelier.nn.sinusoids import embed_numbers
from torch import Tensor, nn

from latelier_addons.controlnet.config import UnionConfig


class ControlType(nn.Module):
    """Tells the encoder of which type the hint is.

    The names of its tensors are those of the published files.
    """

    def __init__(self, config: UnionConfig, unet: UNetConfig) -> None:
        super().__init__()
        self.config = config
        width, channels = unet.embedding_width, unet.model_channels
        self.task_embedding = nn.Parameter(channels**0.5 * torch.randn(config.types, channels))
        self.transformer_layes = nn.ModuleList(
            _Layer(channels, config.heads) for _ in range(config.layers)
        )
        self.spatial_ch_projs = zero_init(Linear(channels, channels))
        self.control_add_embedding = nn.ModuleDict(
            {
                "linear_1": Linear(config.types * config.embedding, width),
                "linear_2": Linear(width, width),
            }
        )

    def embed(self, dtype: torch.dtype) -> Tensor:
        """Return what is added to the timestep embedding, (1, E)."""
        device = self.task_embedding.device
        types = torch.arange(self.config.types, device=device) == self.config.type
        sinusoids = embed_numbers(types.float(), self.config.embedding).to(dtype).view(1, -1)
        first, second = self.control_add_embedding.values()
        return second(nn.functional.silu(first(sinusoids)))

    def forward(self, hint: Tensor) -> Tensor:
        """Return the embedded hint (B, C, h, w), each channel shifted by what its type means."""
        token = hint.mean(dim=(2, 3)) + self.task_embedding[self.config.type]
        for layer in self.transformer_layes:
            token = layer(token)
        return hint + self.spatial_ch_projs(token)[:, :, None, None]


class _Layer(nn.Module):
    """A transformer layer over one token for each row.

    The published code attends over the rows of a batch. That of a batch of one, a picture alone, is
    a token's attention to itself, which is computed here for any batch.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = nn.ModuleDict(
            {"c_fc": Linear(width, 4 * width), "c_proj": Linear(4 * width, width)}
        )
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, C)."""
        sequence = self.ln_1(tokens)[None]  # one token long
        tokens = tokens + self.attn(sequence, sequence, sequence, need_weights=False)[0][0]
        inner = self.mlp["c_fc"](self.ln_2(tokens))
        return tokens + self.mlp["c_proj"](inner * torch.sigmoid(1.702 * inner))
