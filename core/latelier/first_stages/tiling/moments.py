"""Mean and variance of the channels of a map, accumulated tile by tile, and norms that use them."""

from collections.abc import Mapping

import torch
from einops import reduce, repeat
from torch import Tensor, nn

from latelier.first_stages.tiling.chain import Normalize


class Moments:
    """Mean and sum of squared deviations of each channel of each image of a batch, in float64.

    Tiles are added by the pairwise update of Chan, Golub and LeVeque (1979), which stays exact
    where the mean is large against the deviation.
    """

    def __init__(self) -> None:
        self._count = 0
        self._mean = self._deviation = torch.zeros((), dtype=torch.float64)

    @classmethod
    def of(cls, x: Tensor) -> "Moments":
        """Return the moments of a whole map (B, C, h, w)."""
        moments = cls()
        moments.add(x)
        return moments

    def add(self, x: Tensor) -> None:
        """Add a tile (B, C, h, w)."""
        var, mean = torch.var_mean(x.float(), dim=(2, 3), correction=0)  # (B, C)
        var, mean = var.double().cpu(), mean.double().cpu()
        new = x.shape[2:].numel()
        count = self._count + new
        delta = mean - self._mean
        self._mean = self._mean + delta * (new / count)
        self._deviation = self._deviation + new * var + delta**2 * (self._count * new / count)
        self._count = count

    def affine(self, norm: nn.GroupNorm) -> tuple[Tensor, Tensor]:
        """Return scale and shift, (B, C, 1, 1) float32, that apply `norm` to the whole map."""
        groups, size = norm.num_groups, norm.num_channels // norm.num_groups
        mean = reduce(self._mean, "b (g c) -> b g", "mean", g=groups)
        spread = (self._mean - repeat(mean, "b g -> b (g c)", c=size)) ** 2
        var = reduce(self._deviation / self._count + spread, "b (g c) -> b g", "mean", g=groups)
        rstd = repeat((var + norm.eps).rsqrt(), "b g -> b (g c) 1 1", c=size)
        mean = repeat(mean, "b g -> b (g c) 1 1", c=size)
        weight, bias = (p.double().cpu().view(1, -1, 1, 1) for p in (norm.weight, norm.bias))
        return (weight * rstd).float(), (bias - mean * weight * rstd).float()


def normalize_by(moments: Mapping[nn.GroupNorm, Moments]) -> Normalize:
    """Return a function that applies each norm with its moments."""
    affine = {norm: each.affine(norm) for norm, each in moments.items()}

    def normalize(norm: nn.GroupNorm, x: Tensor) -> Tensor:
        scale, shift = (part.to(x.device) for part in affine[norm])
        return torch.addcmul(shift, x.float(), scale).to(x.dtype)

    return normalize
