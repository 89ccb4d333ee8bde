"""What a detector sees in pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate, max_pool2d

from latelier.data.emoji_scenes import all_glyphs
from latelier.data.emoji_scenes.glyphs import GROUPS
from latelier.evaluation.detector.objects import (
    FIRST_GROUP,
    DetectedObject,
    find_detected_objects,
)
from latelier.metrics.scene_detector import SceneDetector


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
    readings = [_read(detector, part) for part in torch.split(images, batch_size)]
    names = ("semantic_map", "kind", "place", "color", "second_color", "features")
    return SceneReading(
        objects=[objects for reading in readings for objects in reading.objects],
        **{name: torch.cat([getattr(each, name) for each in readings]) for name in names},
    )


def _read(detector: SceneDetector, images: Tensor) -> SceneReading:
    detection = detector(images)
    objects = find_detected_objects(detector, detection)
    semantics = interpolate(
        detection.semantics, images.shape[2:], mode="bilinear", align_corners=False
    )
    maps = [_read_map(each, shown) for each, shown in zip(semantics, objects, strict=True)]
    return SceneReading(
        objects=objects,
        semantic_map=torch.stack(maps),
        kind=detection.kind.argmax(1),
        place=detection.place.argmax(1),
        color=detection.color.argmax(1),
        second_color=detection.second_color.argmax(1),
        features=detection.cells.mean((2, 3)),
    )


def _read_map(semantics: Tensor, objects: Sequence[DetectedObject]) -> Tensor:
    """Return a semantic map (H, W): the most likely class of each pixel, from logits (12, H, W).

    A pixel of an object is of a group that an object in its cell or a neighbouring one is of.
    """
    background, groups = semantics[:FIRST_GROUP], semantics[FIRST_GROUP:]
    near = torch.zeros_like(groups, dtype=torch.bool)
    for each in objects:
        cells = max_pool2d(each.mask[None, None].float(), 3, 1, 1)
        group = GROUPS.index(all_glyphs()[each.glyph].group)
        near[group] |= interpolate(cells, groups.shape[1:], mode="nearest")[0, 0] > 0
    allowed = near | ~near.any(0)
    group_map = groups.masked_fill(~allowed, -torch.inf).argmax(0) + FIRST_GROUP
    is_object = groups.logsumexp(0) > background.logsumexp(0)
    return torch.where(is_object, group_map, background.argmax(0))
