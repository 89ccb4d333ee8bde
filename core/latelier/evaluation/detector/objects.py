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
from latelier.metrics.scene_detector import SceneDetection, SceneDetector

FIRST_GROUP = len(SEMANTIC_CLASSES) - len(GROUPS)
"""Position in `SEMANTIC_CLASSES` of the first group of objects; those before are backgrounds."""

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
        mask: bool (h, w), the cells that show it.
    """

    box: Box
    scores: Tensor
    mask: Tensor

    @property
    def glyph(self) -> int:
        """Index in the atlas of the most likely drawing."""
        return int(self.scores.argmax())


def find_detected_objects(
    detector: SceneDetector, detection: SceneDetection
) -> list[list[DetectedObject]]:
    """Return the objects of each picture, the one with most cells first.

    Cells that name nearly the same box are one object. Its box is their median, and reaches to all
    of the cells.
    """
    objects = []
    for cells, shown, boxes in zip(
        detection.cells, _find_object_cells(detection), detection.box, strict=True
    ):
        masks = _group_cells(shown, boxes)
        objects.append([_describe(detector, cells, boxes, mask) for mask in masks])
    return objects


def _find_object_cells(detection: SceneDetection) -> Tensor:
    """Return which cells show more of objects than of the background, bool (B, h, w)."""
    background = detection.semantics.softmax(1)[:, :FIRST_GROUP].sum(1, keepdim=True)
    return avg_pool2d(background, 2)[:, 0] < 0.5


def _group_cells(shown: Tensor, boxes: Tensor) -> list[Tensor]:
    """Return the cells of each object, bool (h, w), the largest first.

    The box that most cells name takes those cells; then that which most of the others name.

    Args:
        shown: bool (h, w), the cells of all objects.
        boxes: (4, h, w), of the object of each cell.
    """
    named = boxes[:, shown].T
    same = _pairwise_iou(named) > _SAME_OBJECT
    left = torch.ones(len(named), dtype=torch.bool)
    masks: list[Tensor] = []
    while left.any():
        group = same[(same & left).sum(1).where(left, -1).argmax()] & left
        left = left & ~group
        mask = torch.zeros_like(shown)
        mask[shown] = group
        if _is_large(mask, named[group]):
            masks.append(mask)
    return sorted(masks, key=lambda mask: -int(mask.sum()))


def _pairwise_iou(boxes: Tensor) -> Tensor:
    """Return intersection over union of each box (N, 4) with each, (N, N); 1 with itself."""
    count = len(boxes)
    pairs = boxes.repeat_interleave(count, 0), boxes.repeat(count, 1)
    return box_iou(*pairs).reshape(count, count).fill_diagonal_(1)


def _is_large(mask: Tensor, boxes: Tensor) -> bool:
    """Return whether the cells of a mask are enough of the box that they name."""
    box = boxes.median(0).values
    area = float((box[2:] - box[:2]).clamp(min=0).prod()) * mask.numel()
    return int(mask.sum()) >= max(_LEAST_CELLS, _LEAST_SHARE * area)


def _describe(
    detector: SceneDetector, cells: Tensor, boxes: Tensor, mask: Tensor
) -> DetectedObject:
    """Return the object of some cells, of features (C, h, w) and boxes (4, h, w)."""
    x0, y0, x1, y1 = boxes[:, mask].median(1).values.tolist()
    left, top, right, bottom = _bounds(mask)
    hull = min(x0, left), min(y0, top), max(x1, right), max(y1, bottom)
    scores = log_softmax(detector.name(cells[:, mask].mean(1)[None])[0], 0)
    return DetectedObject(hull, scores, mask)


def _bounds(mask: Tensor) -> Box:
    """Return the box of the cells of a mask (h, w), as fractions of the picture."""
    rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
    height, width = mask.shape
    return (
        int(columns[0]) / width,
        int(rows[0]) / height,
        (int(columns[-1]) + 1) / width,
        (int(rows[-1]) + 1) / height,
    )


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
