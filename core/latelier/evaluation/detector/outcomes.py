"""What pictures show of the scenes that they stand for, picture by picture."""

from collections.abc import Sequence

from latelier.data.emoji_scenes import BACKGROUND_KINDS, PALETTE, Scene
from latelier.data.emoji_scenes.claims import RelationClaim
from latelier.data.emoji_scenes.layout import Box, direction, gaps
from latelier.data.emoji_scenes.places import PLACES
from latelier.evaluation.detector.look_alikes import look_alike
from latelier.evaluation.detector.objects import DetectedObject, boxes_iou, match_glyphs
from latelier.evaluation.detector.reading import SceneReading

Found = Sequence[Box | None]
"""The boxes of the objects of a scene in a picture, None for one that is missing."""

RIGHT_BOX = 0.5
"""IoU with its box, at least, of an object in its place, as in Pascal VOC."""

_OVERLAPS = ("in front of", "behind", "overlapping")
_MOST_OVERLAP = 0.1
"""Most overlap of two boxes, in shares of the picture, of objects that are said to be apart."""
_COLORS = [color.name for color in PALETTE]
_PLACES = list(PLACES)


def match_objects(reading: SceneReading, scenes: Sequence[Scene]) -> list[Found]:
    """Return where a detector sees the objects of each scene."""
    return [
        [
            None if match is None else match.box
            for match in match_glyphs(objects, [each.glyph.index for each in scene.objects])
        ]
        for objects, scene in zip(reading.objects, scenes, strict=True)
    ]


def is_first_choice(objects: Sequence[DetectedObject], scene: Scene) -> bool:
    """Return whether the largest object that is seen is the scene's first one."""
    return bool(objects) and look_alike(objects[0].glyph, scene.objects[0].glyph.index)


def list_ious(found: Found, boxes: Sequence[Box]) -> list[float]:
    """Return the IoU of each object that is seen with its box; that of a missing one is 0."""
    return [
        0.0 if each is None else boxes_iou(each, box)
        for each, box in zip(found, boxes, strict=True)
    ]


def is_related(claim: RelationClaim, found: Found) -> bool:
    """Return whether two objects are placed as a caption says.

    Boxes do not show which of two objects is in front, and reach a little too far.
    """
    subject, other = found[claim.subject], found[claim.other]
    if subject is None or other is None:
        return False
    gap = max(gaps(subject, other))
    if claim.relation in _OVERLAPS:
        return gap < 0
    return gap > -_MOST_OVERLAP and direction(subject, other) == claim.relation


def compare_background(reading: SceneReading, k: int, scene: Scene) -> dict[str, bool]:
    """Return whether the background of picture k is that of its scene.

    "kind"; "place" of a painted one, or "color": all named colours, in any order.
    """
    background = scene.background
    kind = BACKGROUND_KINDS[int(reading.kind[k])] == background.kind
    if background.kind == "place":
        return {"kind": kind, "place": _PLACES[int(reading.place[k])] == background.style}
    read = (reading.color[k], reading.second_color[k])[: len(background.colors)]
    return {
        "kind": kind,
        "color": {_COLORS[int(color)] for color in read} == set(background.colors),
    }
