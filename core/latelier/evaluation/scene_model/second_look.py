"""Where pictures show the objects of their scenes: the detector's word, and a second look.

The detector overlooks objects: it sees all of two or three in 4 of 5 rendered scenes. So the
drawing of one that it does not see is fitted to the picture. It is there if the picture shows it
well, and no other drawing that may be meant is shown better in that place: those that are most
alike, those that the detector names there, and the other objects of the scene. Objects of which
another hides more than a little stay missing.

The detector's boxes reach too far, so that two objects which touch seem to overlap. So the drawing
of one that it sees is fitted too, and its box is that of the drawing if that is shown well there.
"""

from collections.abc import Iterator, Sequence

from torch import Tensor

from latelier.data.emoji_scenes import Scene
from latelier.data.emoji_scenes.artwork import Artwork, glyph_artwork
from latelier.data.emoji_scenes.layout import Box
from latelier.data.emoji_scenes.objects import SceneObject
from latelier.evaluation.artwork.fit import FitRange, fit_artwork
from latelier.evaluation.artwork.template import ArtworkTemplate
from latelier.evaluation.detector.look_alikes import list_most_alike, look_alike
from latelier.evaluation.detector.objects import DetectedObject, boxes_iou
from latelier.evaluation.detector.outcomes import Found, match_objects
from latelier.evaluation.scene_model.examples import JudgedPictures

_LEAST_DB = 20.0
"""PSNR inside its silhouette of a drawing that is there, at least."""

_SAME_PLACE = 0.3
"""Share of the box of a drawing, at least, that another covers which explains the same part."""

_LEAST_IOU = 0.3
"""IoU, at least, of the detector's box and that of the drawing in it."""

_RIVALS = 5
"""Drawings that are most alike with which one is compared."""

_SCALES, _ANGLES = (0.22, 1.0), (-20.0, 20.0)


def locate_objects(pictures: JudgedPictures) -> list[Found]:
    """Return the boxes of the objects of each scene in its picture, None for a missing one."""
    seen = match_objects(pictures.reading, pictures.scenes)
    return [
        _look_again(image, objects, scene, found)
        for image, objects, scene, found in zip(
            pictures.images, pictures.reading.objects, pictures.scenes, seen, strict=True
        )
    ]


def _look_again(
    image: Tensor, seen: Sequence[DetectedObject], scene: Scene, found: Found
) -> list[Box | None]:
    """Return the boxes of the objects of a scene, of which the detector has found some."""
    boxes = [
        None
        if box is None
        else _find_edges(image, wanted.artwork, box, _count_copies(scene, wanted))
        for wanted, box in zip(scene.objects, found, strict=True)
    ]
    for number, wanted in enumerate(scene.objects):
        if boxes[number] is not None:
            continue
        rivals = set(list_most_alike(wanted.glyph.index, _RIVALS))
        rivals |= {each.glyph for each in seen} | {each.glyph.index for each in scene.objects}
        others = [each for each in rivals if not look_alike(each, wanted.glyph.index)]
        copies = list(_list_copies(scene, boxes, wanted.glyph.index))
        boxes[number] = _find(image, wanted.artwork, map(glyph_artwork, others), copies)
    return boxes


def _count_copies(scene: Scene, shown: SceneObject) -> int:
    """Return how many objects of a scene show the drawing of one of them."""
    return sum(look_alike(each.glyph.index, shown.glyph.index) for each in scene.objects)


def _find_edges(image: Tensor, artwork: Artwork, box: Box, copies: int) -> Box:
    """Return the box of a drawing that is seen in a box; that box if it is not shown well there."""
    places = _list_places(image, artwork, copies)
    place, decibels = max(places, key=lambda each: boxes_iou(each[0], box))
    is_there = decibels >= _LEAST_DB and boxes_iou(place, box) >= _LEAST_IOU
    return place if is_there else box


def _list_copies(scene: Scene, boxes: Found, glyph: int) -> Iterator[Box]:
    """Yield the boxes of the objects that are found and show a drawing."""
    for each, box in zip(scene.objects, boxes, strict=True):
        if box is not None and look_alike(each.glyph.index, glyph):
            yield box


def _find(
    image: Tensor, wanted: Artwork, rivals: Iterator[Artwork], copies: Sequence[Box]
) -> Box | None:
    """Return the box of a drawing in a picture (3, H, W) that is none of its copies, or None."""
    places = _list_places(image, wanted, len(copies) + 1)
    for copy in copies:
        places.remove(max(places, key=lambda place: boxes_iou(place[0], copy)))
    [(box, decibels)] = places
    if decibels < _LEAST_DB:
        return None
    for rival in rivals:
        [(place, other)] = _list_places(image, rival, 1)
        if _covered(box, place) >= _SAME_PLACE and other >= decibels:
            return None
    return box


def _list_places(image: Tensor, artwork: Artwork, count: int) -> list[tuple[Box, float]]:
    """Return the places where a drawing fits best, and how well in dB, each outside the others."""
    places: list[tuple[Box, float]] = []
    for _ in range(count):
        within = FitRange(_SCALES, _ANGLES, outside=tuple(box for box, _ in places))
        fit = fit_artwork(image, ArtworkTemplate(artwork.picture()), within)
        places.append((artwork.placed_box(fit.placement), fit.psnr))
    return places


def _covered(box: Box, other: Box) -> float:
    """Return the share of a box that another covers."""
    width = max(min(box[2], other[2]) - max(box[0], other[0]), 0.0)
    height = max(min(box[3], other[3]) - max(box[1], other[1]), 0.0)
    return width * height / ((box[2] - box[0]) * (box[3] - box[1]))
