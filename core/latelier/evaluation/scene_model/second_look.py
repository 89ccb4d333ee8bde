"""Where pictures show the objects of their scenes: the detector's word, and a second look.

The detector overlooks objects: it sees all of two or three in 4 of 5 rendered scenes. So the
drawing of one that it does not see is fitted to the picture. It is there if the picture shows it
well, and better than what the detector sees in its place.
"""

from collections.abc import Sequence

from torch import Tensor

from latelier.data.emoji_scenes import Scene
from latelier.data.emoji_scenes.artwork import Artwork, glyph_artwork
from latelier.data.emoji_scenes.layout import Box
from latelier.evaluation.artwork.fit import ArtworkFit, FitRange, fit_artwork
from latelier.evaluation.artwork.template import ArtworkTemplate
from latelier.evaluation.detector.objects import DetectedObject, boxes_iou, match_glyphs
from latelier.evaluation.detector.outcomes import Found
from latelier.evaluation.scene_model.examples import JudgedPictures

_LEAST_DB = 20.0
"""PSNR inside its silhouette of a drawing that is there, at least. That of absent ones is below in
97 %, and of those that a detector overlooks in rendered scenes above in 85 %."""

_SAME_PLACE = 0.3
"""IoU, at least, of the boxes of two drawings that explain the same part of a picture."""

_RANGE = FitRange(scale=(0.2, 1.0), angle=(-20.0, 20.0))


def find_objects(pictures: JudgedPictures) -> list[Found]:
    """Return the boxes of the objects of each scene in its picture, None for a missing one."""
    return [
        _find(image, objects, scene)
        for image, objects, scene in zip(
            pictures.images, pictures.reading.objects, pictures.scenes, strict=True
        )
    ]


def _find(image: Tensor, objects: Sequence[DetectedObject], scene: Scene) -> Found:
    matches = match_glyphs(objects, [each.glyph.index for each in scene.objects])
    return [
        _look_again(image, wanted.artwork, objects) if match is None else match.box
        for match, wanted in zip(matches, scene.objects, strict=True)
    ]


def _look_again(image: Tensor, wanted: Artwork, objects: Sequence[DetectedObject]) -> Box | None:
    """Return the box of a drawing in a picture (3, H, W), None if it is not there."""
    fit = _fit(image, wanted)
    if fit.psnr < _LEAST_DB:
        return None
    box = wanted.placed_box(fit.placement)
    rivals = (glyph_artwork(each.glyph) for each in objects if _is_same_place(each.box, box))
    return None if any(_fit(image, each).psnr >= fit.psnr for each in rivals) else box


def _fit(image: Tensor, artwork: Artwork) -> ArtworkFit:
    return fit_artwork(image, ArtworkTemplate(artwork.picture()), _RANGE)


def _is_same_place(first: Box, second: Box) -> bool:
    return boxes_iou(first, second) >= _SAME_PLACE
