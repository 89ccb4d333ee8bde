"""Reconstructions of the first stage alone (Table 8 of Rombach et al. 2022)."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from latelier.contracts.images.pixels import denormalize, normalize
from latelier.evaluation.tasks.model import EvaluatedModel
from latelier.evaluation.tasks.task import Sample, Task


class Reconstruction(Task):
    """The picture of each sample, encoded and decoded by the model's first stage."""

    kind: Literal["reconstruction"] = "reconstruction"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"image"})

    @torch.inference_mode()
    def make_pictures(self, model: EvaluatedModel | None, samples: Sequence[Sample]) -> Tensor:
        assert model is not None
        pipeline = model.pipeline
        images = normalize(torch.stack([each["image"] for each in samples]))
        latents = pipeline.first_stage.encode(images.to(pipeline.device, pipeline.dtype))
        return denormalize(pipeline.first_stage.decode(latents)).to("cpu", torch.uint8)
