"""The interface between the training loop and what is trained."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL.Image import Image
from torch import Tensor, nn


class Objective(nn.Module, ABC):
    """A module whose forward returns the loss of one step.

    Attributes:
        trained: The part of it that is optimised, averaged and saved in checkpoints.
    """

    trained: nn.Module

    @abstractmethod
    def collate(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return the batch of data samples: tensors, and "index", the list of their indices.

        Data workers call it.
        """

    @abstractmethod
    def forward(self, batch: dict[str, Any], step: int) -> dict[str, Tensor]:
        """Return named scalars: "loss", which is minimised, and terms to report.

        A term that this batch has no value for is NaN; means over steps leave it out.
        """

    def describe(self) -> list[str]:
        """Return lines that explain what is trained, for the start of a run and a dry run."""
        return []

    def validate(self) -> dict[str, float]:
        """Return metrics of held-out samples that do not depend on how training draws its own.

        The first metric decides which weights are the best; lower is better. An objective without
        metrics returns none. The weights to measure are loaded, and the model is in evaluation
        mode.
        """
        return {}

    @abstractmethod
    def draw_sample_sheet(self) -> tuple[Image, dict[str, float]]:
        """Return a grid of generated images and its metrics. The averaged weights are loaded."""

    @abstractmethod
    def export(self, folder: Path) -> None:
        """Write the result into `folder`. The averaged weights are loaded."""
