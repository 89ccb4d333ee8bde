"""Bipartite soft matching of the tokens of a feature map, to merge those that are most alike.

Bolya et al. 2022, arXiv:2210.09461, section 3, and for diffusion Bolya and Hoffman 2023,
arXiv:2303.17604, section 4. One token of each cell of 2 x 2, drawn at random, is a destination; all
others are sources. Each source has the destination that is most similar to it. The sources with the
greatest similarities are merged into their destinations, by the mean.

Shapes: B rows of a batch, N tokens of width D, K destinations, S sources, M of them merged. The
merged sequence has the sources that stay, the most similar first, and then the destinations.
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import normalize

CELL = 2
"""Side of a cell."""


@dataclass(frozen=True, eq=False)
class Matching:
    """Which tokens are merged into which.

    Attributes:
        kept: (B, S - M), positions of the sources that stay.
        merged: (B, M), positions of the others.
        destinations: (B, K), positions of the destinations.
        nearest: (B, M), index in `destinations` of that of each merged source.
    """

    kept: Tensor
    merged: Tensor
    destinations: Tensor
    nearest: Tensor

    def merge(self, tokens: Tensor) -> Tensor:
        """Return (B, N - M, D) of tokens (B, N, D).

        The sums are a matrix product: sums by index differ from run to run on a GPU.
        """
        b, k = self.destinations.shape
        weights = tokens.new_zeros(b, k, self.merged.shape[1])
        weights.scatter_(1, self.nearest[:, None], 1)
        counts = 1 + weights.sum(dim=2, keepdim=True, dtype=torch.float32)
        sums = _take(tokens, self.destinations) + weights @ _take(tokens, self.merged)
        means = (sums / counts).to(tokens.dtype)
        return torch.cat([_take(tokens, self.kept), means], dim=1)

    def unmerge(self, tokens: Tensor) -> Tensor:
        """Return (B, N, D) of tokens (B, N - M, D): a merged source has that of its destination."""
        kept = self.kept.shape[1]
        positions = torch.cat([self.kept, self.destinations, self.merged], dim=1)  # (B, N)
        indices = torch.arange(tokens.shape[1], device=tokens.device).expand(len(tokens), -1)
        indices = torch.cat([indices, kept + self.nearest], dim=1)
        return _take(tokens, torch.empty_like(indices).scatter_(1, positions, indices))


def match_tokens(tokens: Tensor, size: tuple[int, int], count: int, t: Tensor) -> Matching:
    """Return the matching that merges some tokens.

    Args:
        tokens: (B, N, D), the positions of a map of size (h, w), row by row.
        size: (h, w), both `CELL` or more.
        count: number M of merged tokens, at most that of the sources.
        t: (B,) float32; the destinations of a row depend on its t alone.
    """
    destinations, sources = draw_destinations(size, t)
    unit = normalize(tokens, dim=2)
    similarity = _take(unit, sources) @ _take(unit, destinations).mT  # (B, S, K)
    highest, nearest = similarity.max(dim=2)
    order = highest.argsort(dim=1, descending=True, stable=True)
    merged, kept = order[:, :count], order[:, count:]
    return Matching(
        kept=sources.gather(1, kept),
        merged=sources.gather(1, merged),
        destinations=destinations,
        nearest=nearest.gather(1, merged),
    )


def draw_destinations(size: tuple[int, int], t: Tensor) -> tuple[Tensor, Tensor]:
    """Return positions of the destinations (B, K) and of the sources (B, S) in a map (h, w).

    A last row or column of an odd side has sources only. The draw is a hash of t and of the cell,
    so it needs no generator, and a row has the same one in every batch.
    """
    h, w = size
    bottom, right = h // CELL * CELL, w // CELL * CELL
    grid = torch.arange(h * w, device=t.device).view(h, w)
    cells = rearrange(grid[:bottom, :right], "(h i) (w j) -> (h w) (i j)", i=CELL, j=CELL)  # (K, 4)
    edges = torch.cat([grid[bottom:].flatten(), grid[:bottom, right:].flatten()])
    drawn = _hash(_hash(t.view(torch.int32))[:, None] + cells[:, 0])  # (B, K)
    turned = drawn[..., None] + torch.arange(CELL**2, device=t.device)  # the drawn one is first
    positions = cells.expand(len(t), -1, -1).gather(2, turned % CELL**2)  # (B, K, 4)
    sources = torch.cat([positions[..., 1:].flatten(1), edges.expand(len(t), -1)], dim=1)
    return positions[..., 0], sources


def _hash(numbers: Tensor) -> Tensor:
    """Return int64 numbers below 2^32 that look random; those that go in fit in 32 bits."""
    z = numbers.long() & 0xFFFFFFFF
    for _ in range(2):
        z = ((z ^ (z >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    return z ^ (z >> 16)


def _take(tokens: Tensor, positions: Tensor) -> Tensor:
    """Return (B, K, D): the tokens (B, N, D) at positions (B, K)."""
    b, n, width = tokens.shape
    first = torch.arange(0, b * n, n, device=tokens.device)[:, None]
    return tokens.reshape(b * n, width)[(positions + first).flatten()].view(b, -1, width)
