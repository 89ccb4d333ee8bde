"""Vector quantisation (van den Oord et al. 2017, arXiv:1711.00937), as in the published models."""

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn

from latelier.first_stages.configs import AutoencoderVQConfig

CHUNK = 4096
"""Positions whose distances to all codes are in memory at once: 256 MB for 16384 codes."""


@dataclass(frozen=True, eq=False)
class Quantization:
    """The output of a quantiser for z.

    Attributes:
        latents: (B, C, h, w), the codes; their gradient passes straight to z.
        loss: a scalar, to add to the reconstruction loss.
        indices: (B, h, w) int64, rows of the codebook.
    """

    latents: Tensor
    loss: Tensor
    indices: Tensor


class VectorQuantizer(nn.Module):
    """Replaces the vector at each position by the nearest code of a codebook."""

    def __init__(self, config: AutoencoderVQConfig) -> None:
        super().__init__()
        self.beta, self.legacy = config.beta, config.legacy
        self.embedding = nn.Embedding(config.n_embed, config.embed_dim)
        nn.init.uniform_(self.embedding.weight, -1 / config.n_embed, 1 / config.n_embed)

    def forward(self, z: Tensor) -> Quantization:
        """Quantise z (B, C, h, w).

        The codes are returned as z + (z_q - z), as published, which rounds differently from z_q.
        """
        indices = self.nearest_codes(z)
        z_q = self.look_up(indices)
        to_code, to_z = ((z_q.detach() - z) ** 2).mean(), ((z_q - z.detach()) ** 2).mean()
        loss = to_code + self.beta * to_z if self.legacy else self.beta * to_code + to_z
        return Quantization(z + (z_q - z).detach(), loss, indices)

    @torch.no_grad()
    def nearest_codes(self, z: Tensor) -> Tensor:
        """Return the indices (B, h, w) of the codes nearest to z (B, C, h, w)."""
        batch, _, height, _ = z.shape
        codes = self.embedding.weight.float()
        rows = rearrange(z, "b c h w -> (b h w) c").float()
        # a matrix product would lose the distances between close codes in its rounding
        mode = "donot_use_mm_for_euclid_dist"
        indices = [
            torch.cdist(chunk, codes, compute_mode=mode).argmin(dim=1)
            for chunk in torch.split(rows, CHUNK)
        ]
        return rearrange(torch.cat(indices), "(b h w) -> b h w", b=batch, h=height)

    def look_up(self, indices: Tensor) -> Tensor:
        """Return the codes (B, C, h, w) of indices (B, h, w)."""
        return rearrange(self.embedding(indices), "b h w c -> b c h w")
