"""The objects that a detector sees in a picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, log_softmax

from latelier.data.emoji_scenes import SEMANTIC_CLASSES
from latelier.data.emoji_scenes.glyphs import GROUPS
from latelier.data.emoji_scenes.layout import Box
from latelier.evaluation.detector.look_alikes import look_alike
from latelier.evaluation.drawn_objects import box_iou
from latelier.metrics.scene_detector import SceneDetection

_BACKGROUND_CLASSES = len(SEMANTIC_CLASSES) - len(GROUPS)

_SAME_OBJECT = 0.5
"""IoU of the boxes that two cells of one object name, at least."""

_LEAST_CELLS = 3
_LEAST_SHARE = 0.1
"""Share of its box that the visible cells of an object cover, at least."""


@dataclass(frozen=True, eq=False)
class DetectedObject:
    """One object of a picture.

    Attributes:
        box: of the whole object, as fractions of the picture.
        scores: float32 (1167,), log-probability of each drawing of the atlas.
        cells: number of cells that show it.
    """

    box: Box
    scores: Tensor
    cells: int

    @property
    def glyph(self) -> int:
        """Index in the atlas of the most likely drawing."""
        return int(self.scores.argmax())


def find_detected_objects(detection: SceneDetection) -> list[list[DetectedObject]]:
    """Return the objects of each picture, the one with most cells first.

    Cells that name nearly the same box are one object: its box is their median, and its scores are
    the mean of their log-probabilities.
    """
    is_object = _object_probability(detection)
    scores = log_softmax(detection.glyph, 1)
    return [
        _group(is_object[k].flatten(), scores[k].flatten(1).T, detection.box[k].flatten(1).T)
        for k in range(len(scores))
    ]


def _object_probability(detection: SceneDetection) -> Tensor:
    """Return the probability that a cell shows an object, (B, h, w)."""
    background = detection.semantics.softmax(1)[:, :_BACKGROUND_CLASSES].sum(1, keepdim=True)
    return 1 - avg_pool2d(background, 2)[:, 0]


def _group(is_object: Tensor, scores: Tensor, boxes: Tensor) -> list[DetectedObject]:
    """Return the objects of n cells with scores (n, G) and boxes (n, 4)."""
    left = is_object > 0.5
    confidence = is_object.log() + scores.max(1).values
    found: list[DetectedObject] = []
    while left.any():
        best = confidence.masked_fill(~left, -torch.inf).argmax()
        same = left & (box_iou(boxes, boxes[best].expand_as(boxes)) > _SAME_OBJECT)
        same[best] = True
        left &= ~same
        box = boxes[same].median(0).values
        area = float((box[2:] - box[:2]).clamp(min=0).prod()) * len(boxes)
        cells = int(same.sum())
        if cells >= max(_LEAST_CELLS, _LEAST_SHARE * area):
            x0, y0, x1, y1 = box.tolist()
            found.append(DetectedObject((x0, y0, x1, y1), scores[same].mean(0), cells))
    return sorted(found, key=lambda each: -each.cells)


def match_glyphs(
    objects: Sequence[DetectedObject], glyphs: Sequence[int]
) -> list[DetectedObject | None]:
    """Return the object that shows each of the glyphs, or one that looks alike, or None.

    What an object shows is its most likely drawing. Two equal glyphs need two objects; the larger
    one is taken first.
    """
    free = list(objects)
    matches: list[DetectedObject | None] = []
    for glyph in glyphs:
        match = next((each for each in free if look_alike(each.glyph, glyph)), None)
        if match is not None:
            free.remove(match)
        matches.append(match)
    return matches


def boxes_iou(first: Box, second: Box) -> float:
    """Return intersection over union of two boxes, 0..1."""
    return float(box_iou(torch.tensor([first]), torch.tensor([second])))
