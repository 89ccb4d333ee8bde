"""The accuracy of the scene detector on scenes that it was not trained on."""

from collections.abc import Mapping, Sequence
from statistics import fmean

import torch

from latelier.data.emoji_scenes import SEMANTIC_CLASSES, Scene
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.detector.labels import NO_LABEL, label_background
from latelier.evaluation.detector.objects import boxes_iou, match_glyphs
from latelier.evaluation.detector.reading import SceneReading, read_pictures
from latelier.evaluation.mean_iou import mean_iou
from latelier.evaluation.scenes import read_batches, to_images
from latelier.metrics.scene_detector import SceneDetector

Outcomes = Mapping[str, Sequence[bool]]


def measure_accuracy(
    detector: SceneDetector, scenes: EmojiScenes, batch_size: int = 32
) -> dict[str, float]:
    """Return the shares, 0..1, of what the detector says rightly of all scenes of a data set.

    "object": the drawing of an object is the first choice of an object that the detector sees.
    "all_present": those of all objects of a scene are. "box": so is it, and the IoU of the boxes is
    at least 0.5. "kind", "place", "color", "second_color": of the background. "mean_iou": of
    semantic maps.
    """
    parts: list[Outcomes] = []
    maps, references = [], []
    for batch in read_batches(scenes, batch_size):
        reading = read_pictures(detector, to_images(batch), batch_size)
        parts.append({**compare_objects(reading, batch), **_compare_background(reading, batch)})
        maps.append(reading.semantic_map)
        references += [torch.from_numpy(scene.semantic_map) for scene in batch]
    joined = {name: [each for part in parts for each in part[name]] for name in parts[0]}
    shares = {name: fmean(each) for name, each in joined.items() if each}
    share = mean_iou(torch.cat(maps), torch.stack(references), len(SEMANTIC_CLASSES))
    return {**shares, "mean_iou": share}


def compare_objects(reading: SceneReading, scenes: Sequence[Scene]) -> dict[str, list[bool]]:
    """Return for each object, or each scene, whether the detector sees it; see above."""
    outcomes: dict[str, list[bool]] = {"object": [], "all_present": [], "box": []}
    for objects, scene in zip(reading.objects, scenes, strict=True):
        matches = match_glyphs(objects, [each.glyph.index for each in scene.objects])
        outcomes["object"] += [match is not None for match in matches]
        outcomes["all_present"].append(None not in matches)
        outcomes["box"] += [
            match is not None and boxes_iou(match.box, each.box) >= 0.5
            for match, each in zip(matches, scene.objects, strict=True)
        ]
    return outcomes


def _compare_background(reading: SceneReading, scenes: Sequence[Scene]) -> dict[str, list[bool]]:
    labels = [label_background(scene) for scene in scenes]
    return {
        name: [
            int(getattr(reading, name)[k]) == label[name]
            for k, label in enumerate(labels)
            if label[name] != NO_LABEL
        ]
        for name in labels[0]
    }
