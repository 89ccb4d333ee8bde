"""The interface between the training loop and what is trained."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL.Image import Image
from torch import Tensor, nn

from latelier.training.configs.optimization import OptimizerConfig

MODEL = "model"
"""The player whose weights are averaged, saved and exported."""


class Objective(nn.Module, ABC):
    """A module whose forward returns the loss of a batch.

    Attributes:
        trained: The part of it that is optimized, averaged and saved in checkpoints.
    """

    trained: nn.Module

    @property
    def players(self) -> Mapping[str, nn.Module]:
        """The modules that have an optimizer each, by name, in the order of their updates.

        The first is `MODEL`, which is `trained`. Adversarial training has a discriminator as the
        second. While one player is updated, the parameters of the others need no gradient.
        """
        return {MODEL: self.trained}

    def optimizer_of(self, player: str) -> OptimizerConfig | None:  # noqa: ARG002
        """Return the optimizer of a player; None: the one of the training's configuration."""
        return None

    @abstractmethod
    def collate(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return the batch of data samples: tensors, and "index", the list of their positions.

        Data workers call it.
        """

    @abstractmethod
    def forward(self, batch: dict[str, Any], step: int, player: str = MODEL) -> dict[str, Tensor]:
        """Return named scalars: "loss", which `player` minimizes, and terms to report.

        Losses are means over the batch: the loop averages those of micro-batches and processes. A
        term that this batch has no value for is NaN; means leave it out. Players report terms under
        different names, except for "loss".
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
