"""Pictures of classes (Table 3 of Rombach et al. 2022)."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from latelier.evaluation.tasks.task import GenerationTask, Sample


class ClassLabel(GenerationTask):
    """A picture of the class of each sample, or of all classes equally often."""

    kind: Literal["class"] = "class"
    inputs: ClassVar[Mapping[str, str]] = {"class_label": "class_label"}
    classes: int | None = Field(
        default=None,
        ge=1,
        description="number of classes: picture k is of class k modulo it; null: of the class of "
        "sample k",
    )

    @property
    def provides(self) -> frozenset[str]:
        return frozenset() if self.classes is None else frozenset({"class_label"})

    def add_fields(self, sample: Sample, generator: np.random.Generator) -> Mapping[str, Any]:  # noqa: ARG002
        return {} if self.classes is None else {"class_label": sample["index"] % self.classes}
