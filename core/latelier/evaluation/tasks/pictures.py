"""Pictures that were made elsewhere, each paired by its name with a sample of the data."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from latelier.evaluation.tasks.model import EvaluatedModel
from latelier.evaluation.tasks.task import Sample, Task


class Pictures(Task):
    """The pictures of a folder; the sample of each is that whose file has the same name.

    Folders and suffixes do not count: `made/cat.png` stands for `originals/cat.jpg`.
    """

    kind: Literal["pictures"] = "pictures"
    uses_model: ClassVar[bool] = False
    path: Path = Field(description="folder of the pictures that are measured, or a manifest")

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"picture"})

    def make_pictures(self, model: EvaluatedModel | None, samples: Sequence[Sample]) -> Tensor:  # noqa: ARG002
        return torch.stack([each["picture"] for each in samples])
