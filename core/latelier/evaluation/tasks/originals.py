"""The pictures of the data themselves."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor

from latelier.evaluation.tasks.model import EvaluatedModel
from latelier.evaluation.tasks.task import Sample, Task


class Originals(Task):
    """The picture of each sample itself: pictures made elsewhere, or the best that can be made."""

    kind: Literal["originals"] = "originals"
    uses_model: ClassVar[bool] = False

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"image"})

    def make_pictures(self, model: EvaluatedModel | None, samples: Sequence[Sample]) -> Tensor:  # noqa: ARG002
        return torch.stack([each["image"] for each in samples])
