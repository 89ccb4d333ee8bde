"""The loss of a training, as the loop sees it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

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
