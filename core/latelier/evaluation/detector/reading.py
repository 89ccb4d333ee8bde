"""What a detector sees in pictures."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from latelier.evaluation.detector.objects import DetectedObject, find_detected_objects
from latelier.metrics.scene_detector import SceneDetection, SceneDetector


@dataclass(frozen=True, eq=False)
class SceneReading:
    """The most likely content of N pictures, as numbers.

    Attributes:
        objects: of each picture, the one with most cells first.
        semantic_map: int64 (N, H, W), positions in `SEMANTIC_CLASSES`.
        kind: int64 (N,), position in `BACKGROUND_KINDS`.
        place: int64 (N,), position in `PLACES`, if it is a painted place.
        color: int64 (N,), position in `PALETTE` of the background's dominant colour.
        second_color: int64 (N,), position in `PALETTE`, if the background has two colours.
        features: float32 (N, 192).
    """

    objects: list[list[DetectedObject]]
    semantic_map: Tensor
    kind: Tensor
    place: Tensor
    color: Tensor
    second_color: Tensor
    features: Tensor


@torch.no_grad()
def read_pictures(detector: SceneDetector, images: Tensor, batch_size: int = 32) -> SceneReading:
    """Return what the detector sees in pictures (N, 3, H, W) in [-1, 1], N at least 1."""
    size = (images.shape[2], images.shape[3])
    readings = [_read(detector(part), size) for part in torch.split(images, batch_size)]
    names = ("semantic_map", "kind", "place", "color", "second_color", "features")
    return SceneReading(
        objects=[objects for reading in readings for objects in reading.objects],
        **{name: torch.cat([getattr(each, name) for each in readings]) for name in names},
    )


def _read(detection: SceneDetection, size: tuple[int, int]) -> SceneReading:
    semantics = interpolate(detection.semantics, size, mode="bilinear", align_corners=False)
    return SceneReading(
        objects=find_detected_objects(detection),
        semantic_map=semantics.argmax(1),
        kind=detection.kind.argmax(1),
        place=detection.place.argmax(1),
        color=detection.color.argmax(1),
        second_color=detection.second_color.argmax(1),
        features=detection.features,
    )
