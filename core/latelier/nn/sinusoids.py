"""Sinusoidal embeddings of numbers (Vaswani et al. 2017, arXiv:1706.03762, section 3.5)."""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad


def embed_numbers(numbers: Tensor, width: int) -> Tensor:
    """Return the embedding (..., width), float32, of numbers (...), such as timesteps.

    The first half holds cosines and the second sines, as in the published latent diffusion models;
    an odd width ends with a zero.
    """
    angles = numbers.float()[..., None] * frequencies(width // 2, numbers.device)
    return pad(torch.cat([angles.cos(), angles.sin()], dim=-1), (0, width % 2))


def frequencies(count: int, device: torch.device) -> Tensor:
    """Return 10000^(-i / count), i = 0 .. count - 1, as (count,) float32."""
    exponents = torch.arange(count, dtype=torch.float32, device=device) * (-math.log(1e4) / count)
    return exponents.exp()
