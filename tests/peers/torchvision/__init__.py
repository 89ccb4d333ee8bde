"""Stands for torchvision, whose builds do not load beside the CPU build of torch.

Peers import these names; only vgg16 is of use.
"""

from . import models, transforms

__all__ = ["models", "transforms"]
