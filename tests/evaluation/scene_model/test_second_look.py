from collections.abc import Callable
from dataclasses import replace
from statistics import median

import pytest
import torch

from latelier.data.emoji_scenes import Scene, SceneConfig, all_glyphs
from latelier.data.emoji_scenes.artwork import glyph_artwork
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.data.emoji_scenes.objects import SceneObject
from latelier.evaluation.detector.look_alikes import list_most_alike
from latelier.evaluation.detector.objects import DetectedObject, boxes_iou
from latelier.evaluation.detector.outcomes import match_objects
from latelier.evaluation.scene_model.examples import JudgedPictures
from latelier.evaluation.scene_model.second_look import locate_objects
from latelier.evaluation.scenes import read_scenes

Judge = Callable[..., JudgedPictures]


def _overlook(pictures: JudgedPictures) -> JudgedPictures:
    """Return pictures in which the detector sees no object."""
    nothing: list[list[DetectedObject]] = [[] for _ in pictures.scenes]
    return replace(pictures, reading=replace(pictures.reading, objects=nothing))


def test_overlooked_objects_are_found_where_they_are(scenes: list[Scene], judged: Judge) -> None:
    shown = [
        (box, each)
        for found, scene in zip(locate_objects(_overlook(judged(scenes))), scenes, strict=True)
        for box, each in zip(found, scene.objects, strict=True)
        if each.visible > 0.95
    ]
    right = [box is not None and boxes_iou(box, each.box) > 0.8 for box, each in shown]
    assert len(shown) > 12
    assert sum(right) >= 0.8 * len(shown)


def test_drawings_that_are_not_there_are_not_found(scenes: list[Scene], judged: Judge) -> None:
    others = [*scenes[1:], scenes[0]]
    pictures = _overlook(judged(scenes, shown=others))
    found = [box for each in locate_objects(pictures) for box in each]
    assert found.count(None) >= len(found) - 1


def _widen(seen: DetectedObject) -> DetectedObject:
    """Return an object in a box that reaches too far, as the detector's do."""
    x0, y0, x1, y1 = seen.box
    return replace(seen, box=(x0 - 0.06, y0 - 0.06, x1 + 0.06, y1 + 0.06))


def test_what_the_detector_sees_is_in_the_box_of_its_drawing(
    scenes: list[Scene], judged: Judge
) -> None:
    pictures = judged(scenes)
    rough = [[_widen(each) for each in objects] for objects in pictures.reading.objects]
    pictures = replace(pictures, reading=replace(pictures.reading, objects=rough))
    overlaps = [
        boxes_iou(box, each.box)
        for found, seen, scene in zip(
            locate_objects(pictures), match_objects(pictures.reading, scenes), scenes, strict=True
        )
        for box, named, each in zip(found, seen, scene.objects, strict=True)
        if box is not None and named is not None and each.visible > 0.95
    ]
    assert len(overlaps) > 8
    assert median(overlaps) > 0.95


def test_what_the_detector_sees_stays_in_its_box_if_the_drawing_is_not_shown_well(
    scenes: list[Scene], judged: Judge
) -> None:
    pictures = judged(scenes)
    noise = torch.randn(pictures.images.shape, generator=torch.Generator().manual_seed(0))
    named = match_objects(pictures.reading, scenes)
    assert any(box is not None for found in named for box in found)
    found = locate_objects(replace(pictures, images=pictures.images + noise))
    for boxes, seen in zip(found, named, strict=True):
        assert [box for box in boxes if box is not None] == [box for box in seen if box is not None]


def test_what_looks_alike_is_told_apart(scenes: list[Scene], judged: Judge) -> None:
    """In place of each drawing the one is asked for whose pixels are most like it."""
    asked = [
        replace(scene, objects=tuple(_swap(each) for each in scene.objects)) for scene in scenes
    ]
    pictures = replace(judged(scenes), scenes=asked)
    found = [box for each in locate_objects(pictures) for box in each]
    assert found.count(None) >= len(found) - 1


def test_an_overlooked_drawing_is_not_taken_for_one_that_looks_alike(judged: Judge) -> None:
    names = ("grinning face", "grinning face with big eyes")
    config = SceneConfig(size=128, glyphs=names, vocabulary="all")
    scenes = read_scenes(EmojiScenes(config, seed=6, length=4))
    glyphs = {glyph.name: glyph.index for glyph in all_glyphs() if glyph.name in names}
    asked = []
    for scene in scenes:
        [shown] = scene.objects
        [other] = set(glyphs.values()) - {shown.glyph.index}
        assert shown.glyph.index in list_most_alike(other, 5)
        swapped = replace(shown, glyph=all_glyphs()[other], artwork=glyph_artwork(other))
        asked.append(replace(scene, objects=(swapped,)))
    pictures = _overlook(judged(scenes))
    assert [None] not in locate_objects(pictures)
    assert locate_objects(replace(pictures, scenes=asked)) == [[None]] * 4


def _swap(shown: SceneObject) -> SceneObject:
    [index] = list_most_alike(shown.glyph.index, 1)
    return replace(shown, glyph=all_glyphs()[index], artwork=glyph_artwork(index))


@pytest.fixture(scope="module")
def twins() -> Scene:
    """Return a scene that shows one drawing twice, side by side."""
    config = SceneConfig(
        size=128, objects=(2, 2), slots=True, repeated=1.0, glyphs=("cat", "pizza"), spread=0.0
    )
    [scene] = read_scenes(EmojiScenes(config, seed=4, length=1))
    assert boxes_iou(*(each.box for each in scene.objects)) == 0
    return scene


def test_each_copy_of_a_drawing_is_another_object(twins: Scene, judged: Judge) -> None:
    pictures = judged([twins])
    [found] = locate_objects(_overlook(pictures))
    assert None not in found
    assert boxes_iou(*found) < 0.1
    seen = pictures.reading.objects[0][:1]
    one = replace(pictures, reading=replace(pictures.reading, objects=[seen]))
    [found] = locate_objects(one)
    assert None not in found
    assert boxes_iou(*found) < 0.1


def test_each_copy_that_the_detector_sees_has_the_box_of_its_own_drawing(
    twins: Scene, judged: Judge
) -> None:
    pictures = judged([twins])
    rough = [[_widen(each) for each in pictures.reading.objects[0]]]
    [found] = locate_objects(replace(pictures, reading=replace(pictures.reading, objects=rough)))
    for box in found:
        assert max(boxes_iou(box, each.box) for each in twins.objects) > 0.9
    assert boxes_iou(*found) < 0.1


def test_one_copy_is_not_two(twins: Scene, judged: Judge) -> None:
    pictures = judged([twins])
    first = replace(twins, objects=twins.objects[:1])
    half = pictures.images.clone()
    x0, y0, x1, y1 = (round(side * 128) for side in twins.objects[1].box)
    half[:, :, y0:y1, x0:x1] = half[:, :, :1, :1]
    [found] = locate_objects(_overlook(replace(pictures, images=half)))
    assert found.count(None) == 1
    assert locate_objects(_overlook(replace(pictures, images=half, scenes=[first]))) != [[None]]
