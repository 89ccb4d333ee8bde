"""Vector quantisation (van den Oord et al. 2017, arXiv:1711.00937) as the published models do it.

Keys: embedding.weight (n_embed, C) and, where only some codes are in use, used (remap,).
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn

from latelier.contracts.errors import InvalidInputError
from latelier.first_stages.configs import AutoencoderVQConfig

_AT_ONCE = 4096
"""Positions whose distances to all codes are held at one time: 256 MB for 16384 codes."""


@dataclass(frozen=True, eq=False)
class Quantized:
    """What a quantiser makes of z.

    latents: (B, C, h, w), its gradient passed straight to z. loss: scalar, to be added to the
    reconstruction's. indices: (B, h, w) int64, rows of the codebook.
    """

    latents: Tensor
    loss: Tensor
    indices: Tensor


class VectorQuantizer(nn.Module):
    """Replaces each position's vector by the nearest code."""

    used: Tensor

    def __init__(self, config: AutoencoderVQConfig) -> None:
        super().__init__()
        self.beta, self.legacy = config.beta, config.legacy
        self.unknown_index = config.unknown_index
        self.embedding = nn.Embedding(config.n_embed, config.embed_dim)
        nn.init.uniform_(self.embedding.weight, -1 / config.n_embed, 1 / config.n_embed)
        if config.remap is not None:
            self.register_buffer("used", torch.arange(config.remap))

    def forward(self, z: Tensor) -> Quantized:
        """Quantise z (B, C, h, w).

        The value is z + (z_q - z), which rounds differently from z_q.
        """
        indices = self.nearest(z)
        z_q = self.entries(indices)
        to_code, to_z = ((z_q.detach() - z) ** 2).mean(), ((z_q - z.detach()) ** 2).mean()
        loss = to_code + self.beta * to_z if self.legacy else self.beta * to_code + to_z
        return Quantized(z + (z_q - z).detach(), loss, indices)

    @torch.no_grad()
    def nearest(self, z: Tensor) -> Tensor:
        """Return the index (B, h, w) of the code that is nearest to z (B, C, h, w)."""
        batch, _, height, _ = z.shape
        codes = self.embedding.weight.float()
        rows = rearrange(z, "b c h w -> (b h w) c").float()
        # Exact distances: by way of a matrix product they drown in rounding between close codes.
        mode = "donot_use_mm_for_euclid_dist"
        indices = [
            torch.cdist(some, codes, compute_mode=mode).argmin(dim=1)
            for some in torch.split(rows, _AT_ONCE)
        ]
        nearest: Tensor = rearrange(torch.cat(indices), "(b h w) -> b h w", b=batch, h=height)
        return nearest

    def entries(self, indices: Tensor) -> Tensor:
        """Return the codes (B, C, h, w) of indices (B, h, w) into the whole codebook."""
        codes: Tensor = rearrange(self.embedding(indices), "b h w c -> b c h w")
        return codes

    def to_used(self, indices: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return indices among the codes in use for `indices`, of any shape, among all.

        Codes out of use are given `config.unknown_index`.

        Raises:
            InvalidInputError: all codes are in use, or a random index is wanted of no generator.
        """
        used = self._used()
        order = used.argsort()
        place = torch.searchsorted(used[order], indices).clamp(max=len(used) - 1)
        found = order[place]
        return torch.where(used[found] == indices, found, self._unknown(indices, generator))

    def to_all(self, indices: Tensor) -> Tensor:
        """Return indices among all codes for `indices` among those in use.

        One that is more than there are stands for the first.

        Raises:
            InvalidInputError: all codes are in use.
        """
        used = self._used()
        return used[torch.where(indices < len(used), indices, 0)]

    def _used(self) -> Tensor:
        if "used" not in self._buffers:
            raise InvalidInputError("all codes of this first stage are in use: it has no remap")
        return self.used

    def _unknown(self, indices: Tensor, generator: torch.Generator | None) -> Tensor:
        number = len(self.used)
        if self.unknown_index == "extra":
            return torch.full_like(indices, number)
        if isinstance(self.unknown_index, int):
            return torch.full_like(indices, self.unknown_index)
        if generator is None:
            raise InvalidInputError(
                "a code out of use is given a random index: pass the generator to draw it with"
            )
        drawn = torch.randint(number, indices.shape, generator=generator, device=generator.device)
        return drawn.to(indices.device)
