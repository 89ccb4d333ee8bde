"""Inpainting (Tables 6 and 7 of Rombach et al. 2022)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import numpy as np
from PIL import Image
from pydantic import Field, model_validator

from latelier.contracts.images.random_masks import random_mask
from latelier.evaluation.scene_model.masks import hide_object
from latelier.evaluation.tasks.model import to_pil
from latelier.evaluation.tasks.task import GenerationTask, Sample

_Share = Annotated[float, Field(gt=0, lt=1)]


class Inpainting(GenerationTask):
    """The picture of each sample with a part of it repainted: its `init_image` and `mask`."""

    kind: Literal["inpainting"] = "inpainting"
    masks: Literal["mixed", "strokes", "boxes", "object", "data"] = Field(
        default="mixed",
        description="what is repainted: random strokes or boxes (of LaMa, arXiv:2109.07161), mixed "
        "half and half; the main object of a built-in scene; or the masks of the data",
    )
    share: tuple[_Share, _Share] = Field(
        default=(0.1, 0.6), description="range of the area of random masks"
    )

    @property
    def needs(self) -> frozenset[str]:
        of_masks = {"object": {"scene"}, "data": {"mask"}}.get(self.masks, set())
        return frozenset({"image", *of_masks})

    @property
    def provides(self) -> frozenset[str]:
        return frozenset({"mask"})

    def add_fields(self, sample: Sample, generator: np.random.Generator) -> Mapping[str, Any]:
        """Return "mask", uint8 (H, W): 255 is repainted."""
        if self.masks == "data":
            return {}
        if self.masks == "object":
            return {"mask": np.array(hide_object(sample["scene"]))}
        height, width = sample["image"].shape[1:]
        return {"mask": np.array(random_mask((width, height), self.share, generator, self.masks))}

    def list_keywords(self, samples: Sequence[Sample]) -> Mapping[str, Any]:
        pictures = [to_pil(each["image"]) for each in samples]
        masks = [Image.fromarray(np.asarray(each["mask"])) for each in samples]
        return {"init_image": pictures, "mask": masks}

    @model_validator(mode="after")
    def _check_share(self) -> Self:
        low, high = self.share
        if high - low < 0.05:
            raise ValueError(f"share: expected a range of at least 0.05, got {low} to {high}")
        return self
