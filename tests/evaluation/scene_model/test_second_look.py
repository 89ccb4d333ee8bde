from collections.abc import Callable
from dataclasses import replace

from PIL import Image

from latelier.data.emoji_scenes import Scene
from latelier.data.emoji_scenes.artwork import make_artwork
from latelier.evaluation.detector.objects import DetectedObject, boxes_iou
from latelier.evaluation.scene_model.examples import JudgedPictures
from latelier.evaluation.scene_model.second_look import find_objects

Judge = Callable[..., JudgedPictures]


def _overlook(pictures: JudgedPictures) -> JudgedPictures:
    """Return pictures in which the detector sees no object."""
    nothing: list[list[DetectedObject]] = [[] for _ in pictures.scenes]
    return replace(pictures, reading=replace(pictures.reading, objects=nothing))


def test_overlooked_objects_are_found_where_they_are(scenes: list[Scene], judged: Judge) -> None:
    shown = [
        (box, each)
        for found, scene in zip(find_objects(_overlook(judged(scenes))), scenes, strict=True)
        for box, each in zip(found, scene.objects, strict=True)
        if each.visible > 0.95
    ]
    right = [box is not None and boxes_iou(box, each.box) > 0.8 for box, each in shown]
    assert len(shown) > 12
    assert sum(right) >= 0.8 * len(shown)


def test_drawings_that_are_not_there_are_not_found(scenes: list[Scene], judged: Judge) -> None:
    others = [*scenes[1:], scenes[0]]
    found = [box for each in find_objects(_overlook(judged(scenes, shown=others))) for box in each]
    assert found.count(None) >= len(found) - 1


def test_what_the_detector_sees_is_taken_from_it(scenes: list[Scene], judged: Judge) -> None:
    pictures = judged(scenes)
    seen = [box for each in find_objects(pictures) for box in each]
    named = {each.box for objects in pictures.reading.objects for each in objects}
    assert set(seen) <= named


def test_what_shows_another_drawing_better_is_that(scenes: list[Scene], judged: Judge) -> None:
    """A tinted copy of a drawing fits its place well, but the drawing fits it better."""
    [scene] = [each for each in scenes if len(each.objects) == 1][:1]
    shown = scene.objects[0]
    tinted = shown.artwork.picture().copy()
    tinted[..., :3] = tinted[..., :3] * 0.97
    other = replace(
        shown,
        glyph=replace(shown.glyph, index=(shown.glyph.index + 1) % 1167),
        artwork=make_artwork(Image.fromarray(tinted)),
    )
    pictures = judged([scene])
    asked = replace(pictures, scenes=[replace(scene, objects=(other,))])
    assert find_objects(asked) == [[None]]
    [[box]] = find_objects(_overlook(asked))
    assert box is not None
