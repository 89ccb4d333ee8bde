"""What the loop asks of a stage of training."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL.Image import Image
from torch import Tensor, nn


class Objective(nn.Module, ABC):
    """A module whose forward is the loss of one step.

    `trained` is the part of it that is optimised, averaged and saved in checkpoints.
    """

    trained: nn.Module

    @abstractmethod
    def collate(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return the batch of data samples: tensors, and "index", the list of their indices.

        It runs in data workers.
        """

    @abstractmethod
    def forward(self, batch: dict[str, Any], step: int) -> dict[str, Tensor]:
        """Return named scalars; "loss" is minimised, the others are shown."""

    @abstractmethod
    def sheet(self) -> tuple[Image, dict[str, float]]:
        """Return a sample sheet and what was measured on it. Called with the averaged weights."""

    @abstractmethod
    def export(self, folder: Path) -> None:
        """Write the result into `folder`. Called once, with the averaged weights."""
