from collections.abc import Callable, Sequence

import torch

from latelier.data.emoji_scenes import Scene, SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.detector.objects import (
    DetectedObject,
    boxes_iou,
    find_detected_objects,
    match_glyphs,
)
from latelier.metrics.scene_detector import SceneDetection, SceneDetector

Detect = Callable[[Sequence[Scene]], SceneDetection]
Detectors = Callable[[Sequence[Scene]], SceneDetector]


def _object(glyph: int, cells: int = 9) -> DetectedObject:
    return DetectedObject((0.0, 0.0, 1.0, 1.0), torch.eye(5)[glyph], torch.ones(1, cells) > 0)


def test_the_objects_of_scenes_are_found_in_their_labels(
    perfect_detector: Detectors, perfect_detection: Detect
) -> None:
    scenes = EmojiScenes(SceneConfig(size=128, vocabulary="all", objects=(1, 3)), seed=4)
    several = [scenes.scene(k) for k in range(8)]
    for objects, scene in zip(
        find_detected_objects(perfect_detector(several), perfect_detection(several)),
        several,
        strict=True,
    ):
        assert sorted(each.glyph for each in objects) == sorted(
            each.glyph.index for each in scene.objects
        )
        for match, each in zip(
            match_glyphs(objects, [each.glyph.index for each in scene.objects]),
            scene.objects,
            strict=True,
        ):
            assert match is not None
            assert boxes_iou(match.box, each.box) > 0.9  # it reaches to all of its cells
        sizes = [int(each.mask.sum()) for each in objects]
        assert sizes == sorted(sizes, reverse=True)


def test_specks_are_no_objects(perfect_detector: Detectors, perfect_detection: Detect) -> None:
    scene = EmojiScenes(SceneConfig(size=64), seed=1).scene(0)
    detection = perfect_detection([scene])
    detection.semantics[:] = 0
    detection.semantics[:, 0] = 20
    detection.semantics[..., :4, :2] = 20 * torch.eye(12)[5][:, None, None]
    (objects,) = find_detected_objects(perfect_detector([scene]), detection)
    assert objects == []


def test_equal_glyphs_need_an_object_each() -> None:
    objects = [_object(3, 20), _object(1, 10), _object(3, 5)]
    assert match_glyphs(objects, [3, 3, 1]) == [objects[0], objects[2], objects[1]]
    assert match_glyphs(objects[:2], [3, 3, 2]) == [objects[0], None, None]
