"""Super-resolution (Tables 4 and 5 of Rombach et al. 2022)."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from PIL import Image
from pydantic import Field

from latelier.contracts.errors import InvalidInputError
from latelier.evaluation.sizes import format_size
from latelier.evaluation.tasks.model import to_pil
from latelier.evaluation.tasks.task import GenerationTask, Sample


class SuperResolution(GenerationTask):
    """The picture of each sample from a small copy of it, made by bicubic resampling."""

    kind: Literal["super_resolution"] = "super_resolution"
    inputs: ClassVar[Mapping[str, str]] = {"low_resolution": "low_resolution"}
    factor: int = Field(default=4, ge=2, le=64, description="side of the picture / of the copy")

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"image"})

    @property
    def provides(self) -> frozenset[str]:
        return frozenset({"low_resolution"})

    def add_fields(self, sample: Sample, generator: np.random.Generator) -> Mapping[str, Any]:  # noqa: ARG002
        picture = to_pil(sample["image"])
        if any(side % self.factor for side in picture.size):
            raise InvalidInputError(
                f"task.factor: {self.factor} does not divide the size "
                f"{format_size(picture.size)} of the pictures; set data.size"
            )
        size = picture.width // self.factor, picture.height // self.factor
        return {"low_resolution": picture.resize(size, Image.Resampling.BICUBIC)}
