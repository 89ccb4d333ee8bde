"""A learned log-variance of the loss at each noise level (Karras et al., arXiv:2312.02696)."""

import math

import torch
from torch import Tensor, nn

from latelier.training.configs.loss import UncertaintyConfig
from latelier.training.randomness import seed_torch


class Uncertainty(nn.Module):
    """u(level), with which the loss L becomes L / exp(u) + u (equation 14).

    Its minimum over u is at u = log L: every noise level then has the same weight whatever the size
    of its loss. u is linear in Fourier features of log(sigma / alpha) / 4, and 0 at the start. It
    is trained with the model, and not exported.
    """

    frequencies: Tensor
    phases: Tensor

    def __init__(self, config: UncertaintyConfig) -> None:
        super().__init__()
        self.register_buffer("frequencies", 2 * math.pi * torch.randn(config.channels))
        self.register_buffer("phases", 2 * math.pi * torch.rand(config.channels))
        # a vector: optimizers of matrices leave it to the one for all else
        self.weight = nn.Parameter(torch.zeros(config.channels))

    def forward(self, losses: Tensor, levels: Tensor) -> Tensor:
        """Return the losses (B,) at noise levels (B,), balanced by their log-variance."""
        noise = torch.logit(levels.to(losses), eps=1e-4) / 4
        features = math.sqrt(2) * torch.cos(noise[:, None] * self.frequencies + self.phases)
        u = features @ self.weight / math.sqrt(len(self.weight))
        return losses / u.exp() + u


def make_uncertainty(config: UncertaintyConfig | None, seed: int) -> Uncertainty | None:
    """Return an untrained log-variance, if the configuration has one."""
    if config is None:
        return None
    with seed_torch(seed, 0, torch.device("cpu")):
        return Uncertainty(config)
