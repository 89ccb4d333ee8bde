"""The sinusoidal embedding of the timestep."""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad


def frequencies(count: int, device: torch.device) -> Tensor:
    """Return 10000^(-i / count), i = 0 .. count - 1, as (count,) float32.

    (Vaswani et al. 2017, arXiv:1706.03762, section 3.5.)
    """
    exponents = torch.arange(count, dtype=torch.float32, device=device) * (-math.log(1e4) / count)
    return exponents.exp()


def timestep_embedding(t: Tensor, width: int) -> Tensor:
    """Return the embedding (B, width), float32, of timesteps t (B,).

    Cosines first, then sines, as in the published latent diffusion models, of half the width each;
    an odd width ends with a zero.
    """
    angles = t.float()[:, None] * frequencies(width // 2, t.device)
    return pad(torch.cat([angles.cos(), angles.sin()], dim=1), (0, width % 2))
