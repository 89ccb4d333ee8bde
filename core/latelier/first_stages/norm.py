"""The group norm of the autoencoders."""

from torch import nn


def group_norm(channels: int, num_groups: int) -> nn.GroupNorm:
    """Return the norm used throughout; its epsilon is not torch's default."""
    return nn.GroupNorm(num_groups, channels, eps=1e-6)
