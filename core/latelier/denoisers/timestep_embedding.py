"""The sinusoidal embedding of the timestep."""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad


def timestep_embedding(t: Tensor, width: int) -> Tensor:
    """Return the embedding (B, width), float32, of timesteps t (B,).

    Cosines first, then sines, at the frequencies 10000^(-i / half), i = 0 .. half - 1, where half
    is width // 2; an odd width ends with a zero. (Vaswani et al. 2017, arXiv:1706.03762, section
    3.5, in the order of the published latent diffusion models.)
    """
    half = width // 2
    exponents = torch.arange(half, dtype=torch.float32, device=t.device) * (-math.log(1e4) / half)
    angles = t.float()[:, None] * exponents.exp()
    return pad(torch.cat([angles.cos(), angles.sin()], dim=1), (0, width % 2))
