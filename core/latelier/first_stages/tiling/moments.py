"""Mean and variance of a map's channels, gathered piece by piece, and norms that use them."""

from collections.abc import Mapping

import torch
from einops import reduce, repeat
from torch import Tensor, nn

from latelier.first_stages.tiling.chain import Normalize


class Moments:
    """Mean and squared deviation of each channel of each image of a batch, in float64.

    Pieces are added by the pairwise update of Chan, Golub and LeVeque (1979), which stays exact
    where the mean is large against the deviation.
    """

    def __init__(self) -> None:
        self._count = 0
        self._mean = self._deviation = torch.zeros((), dtype=torch.float64)

    @classmethod
    def of(cls, x: Tensor) -> "Moments":
        """Return those of a whole map (B, C, h, w)."""
        moments = cls()
        moments.add(x)
        return moments

    def add(self, x: Tensor) -> None:
        """Add a piece (B, C, h, w)."""
        var, mean = torch.var_mean(x.float(), dim=(2, 3), correction=0)
        var, mean = var.double().cpu(), mean.double().cpu()
        new = x.shape[2:].numel()
        count = self._count + new
        delta = mean - self._mean
        self._mean = self._mean + delta * (new / count)
        self._deviation = self._deviation + new * var + delta**2 * (self._count * new / count)
        self._count = count

    def affine(self, norm: nn.GroupNorm) -> tuple[Tensor, Tensor]:
        """Return scale and shift, (B, C, 1, 1) float32, that apply `norm` to the map."""
        groups, each = norm.num_groups, norm.num_channels // norm.num_groups
        mean = reduce(self._mean, "b (g c) -> b g", "mean", g=groups)
        spread = (self._mean - repeat(mean, "b g -> b (g c)", c=each)) ** 2
        var = reduce(self._deviation / self._count + spread, "b (g c) -> b g", "mean", g=groups)
        rstd, mean = (
            repeat(each_group, "b g -> b (g c) 1 1", c=each)
            for each_group in ((var + norm.eps).rsqrt(), mean)
        )
        weight, bias = (p.double().cpu().view(1, -1, 1, 1) for p in (norm.weight, norm.bias))
        return (weight * rstd).float(), (bias - mean * weight * rstd).float()


def fixed(moments: Mapping[nn.GroupNorm, Moments]) -> Normalize:
    """Return what applies each norm with the moments given for it."""
    affine = {norm: each.affine(norm) for norm, each in moments.items()}

    def normalize(norm: nn.GroupNorm, x: Tensor) -> Tensor:
        weight, bias = (each.to(x.device) for each in affine[norm])
        return torch.addcmul(bias, x.float(), weight).to(x.dtype)

    return normalize
