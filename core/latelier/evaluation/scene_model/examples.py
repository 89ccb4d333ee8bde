"""Held-out scenes whose conditions a model is given, and the pictures that it makes of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from latelier.contracts.images.pixels import denormalize, normalize
from latelier.data.emoji_scenes import Scene
from latelier.evaluation.detector.reading import SceneReading, read_pictures
from latelier.evaluation.scenes import stack_pictures
from latelier.metrics.scene_detector import SceneDetector
from latelier.pipeline import Pipeline

Inputs = Callable[[Sequence[Scene]], Mapping[str, Any]]
"""Makes the keywords of `Pipeline.generate` for scenes: lists with a value for each."""


@dataclass(frozen=True, eq=False)
class JudgedPictures:
    """Pictures that stand for scenes, with what a detector sees in them.

    Attributes:
        images: float32 (N, 3, H, W) in [-1, 1], of the levels of 8 bits.
        scenes: what picture k should show.
        reading: of the pictures.
    """

    images: Tensor
    scenes: Sequence[Scene]
    reading: SceneReading


def judge(detector: SceneDetector, images: Tensor, scenes: Sequence[Scene]) -> JudgedPictures:
    """Return pictures (N, 3, H, W) in [-1, 1] of N scenes with what the detector sees in them."""
    return JudgedPictures(images, scenes, read_pictures(detector, images))


@torch.inference_mode()
def reconstruct(pipeline: Pipeline, images: Tensor, batch_size: int = 25) -> Tensor:
    """Return pictures after the first stage, rounded to 8 bits.

    They are the best that a model without a conditional decoder can reach.
    """
    first_stage = pipeline.first_stage
    copies = [
        first_stage.decode(first_stage.encode(part.to(pipeline.device, pipeline.dtype)))
        for part in torch.split(images, batch_size)
    ]
    return normalize(denormalize(torch.cat(copies).cpu()))


def generate(
    pipeline: Pipeline,
    scenes: Sequence[Scene],
    inputs: Inputs,
    seed: int,
    batch_size: int = 25,
    **options: Any,
) -> Tensor:
    """Return a picture of each scene's condition, float32 (N, 3, H, W) in [-1, 1].

    Args:
        pipeline: the model.
        scenes: of which the conditions are made.
        inputs: makes the keywords of `Pipeline.generate`.
        seed: of the first picture; the others follow.
        batch_size: pictures that are made at once.
        **options: further keywords, such as `steps`; None stands for the model's default.
    """
    pictures: list[Image.Image] = []
    for first in range(0, len(scenes), batch_size):
        batch = scenes[first : first + batch_size]
        made = pipeline.generate(**inputs(batch), **options, seed=seed + first)
        pictures += [picture.image for picture in made]
    return stack_pictures(pictures)
