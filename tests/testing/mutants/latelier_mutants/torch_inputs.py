"""A fault: the module of config and input imports torch."""

import torch

from latelier_mutants.inputs import Beads, BeadsConfig

__all__ = ["Beads", "BeadsConfig", "torch"]
