"""How often a classifier sees the class that was asked for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from latelier.contracts.errors import InvalidConfigError, InvalidInputError
from latelier.contracts.measures import EvaluatedPictures, Figure, Records, Reference
from latelier.evaluation.measures.configs import ClassAccuracyConfig
from latelier.evaluation.measures.estimates import share


class ClassAccuracy:
    """How often the class of the sample is the network's first choice, or one of five.

    The network must know the classes of the data, in their order unless a file says otherwise.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"logits", "class_label"})

    def __init__(self, config: ClassAccuracyConfig) -> None:
        """Read the positions.

        Raises:
            InvalidConfigError: the file is missing, or has something else than whole numbers.
        """
        self._positions = None if config.positions is None else _read_numbers(config.positions)

    def record(self, pictures: EvaluatedPictures, /) -> Mapping[str, Tensor]:
        """Return "rank", int64 (B,): how many classes are not less likely than the sample's.

        Raises:
            InvalidInputError: a class is not among those of the network.
        """
        assert pictures.features is not None
        logits = pictures.features.logits
        assert logits is not None
        labels = [int(each["class_label"]) for each in pictures.samples]
        positions = torch.tensor([self._locate(label, logits.shape[1]) for label in labels])
        own = logits.gather(1, positions[:, None].to(logits.device))
        return {"rank": (~(logits < own)).sum(1) - 1}

    def _locate(self, label: int, classes: int) -> int:
        """Return the position of the logit of a class."""
        known = range(classes) if self._positions is None else self._positions
        if not 0 <= label < len(known):
            raise InvalidInputError(
                f"class_label: expected 0 to {len(known) - 1}, the classes of the network, "
                f"got {label}"
            )
        if not 0 <= known[label] < classes:
            raise InvalidInputError(
                f"positions: class {label} is at {known[label]}, expected 0 to {classes - 1}, the "
                "logits of the network"
            )
        return known[label]

    def compute(self, records: Records, reference: Reference | None, /) -> Sequence[Figure]:  # noqa: ARG002
        """Return "accuracy" and "top5_accuracy"."""
        rank = records.column("rank")
        return [
            Figure(name="accuracy", title="Class right", better="higher", **share(rank < 1)),
            Figure(
                name="top5_accuracy",
                title="Class among the first five",
                better="higher",
                **share(rank < 5),
            ),
        ]


def _read_numbers(path: Path) -> list[int]:
    try:
        return [int(line) for line in path.read_text().split()]
    except (OSError, ValueError) as error:
        raise InvalidConfigError(
            f"positions: {path}: expected a file of whole numbers: {error}", field="positions"
        ) from None
