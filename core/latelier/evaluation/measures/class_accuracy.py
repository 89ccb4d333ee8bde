"""How often a classifier sees the class that was asked for."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.measures import EvaluatedPictures, Figure, Records, Reference
from latelier.evaluation.measures.configs import NoOptions
from latelier.evaluation.measures.estimates import share


class ClassAccuracy:
    """How often the class of the sample is the network's first choice, or one of five.

    The classes of the network must be those of the data, in their order.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"logits", "class_label"})

    def __init__(self, config: NoOptions) -> None:
        """Create the measure."""

    def record(self, pictures: EvaluatedPictures, /) -> Mapping[str, Tensor]:
        """Return "rank", int64 (B,): how many classes are not less likely than the sample's.

        Raises:
            InvalidInputError: a class is not among those of the network.
        """
        assert pictures.features is not None
        logits = pictures.features.logits
        assert logits is not None
        labels = torch.tensor([int(each["class_label"]) for each in pictures.samples])
        classes = logits.shape[1]
        if int(labels.max()) >= classes or int(labels.min()) < 0:
            raise InvalidInputError(
                f"class_label: expected 0 to {classes - 1}, the classes of the network, got "
                f"{labels[(labels < 0) | (labels >= classes)].tolist()}"
            )
        own = logits.gather(1, labels[:, None].to(logits.device))
        return {"rank": (~(logits < own)).sum(1) - 1}

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
