"""What the scene detector sees in a batch of pictures, once for all measures of it."""

import functools
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from latelier.contracts.images.pixels import normalize
from latelier.contracts.measures import EvaluatedPictures
from latelier.data.emoji_scenes import Scene
from latelier.evaluation.detector.reading import SceneReading, read_pictures
from latelier.metrics.scene_detector import SceneDetector, load_detector

_readings: WeakKeyDictionary[EvaluatedPictures, SceneReading] = WeakKeyDictionary()


def read_scene_pictures(pictures: EvaluatedPictures) -> tuple[SceneReading, Sequence[Scene]]:
    """Return what the detector sees in pictures, on the CPU, and the scenes that they stand for.

    Raises:
        InvalidInputError: the sides of the pictures are no multiples of 16.
    """
    if pictures not in _readings:
        images = normalize(pictures.images.cpu())
        _readings[pictures] = read_pictures(_load_detector(), images)
    return _readings[pictures], [each["scene"] for each in pictures.samples]


@functools.cache
def _load_detector() -> SceneDetector:
    return load_detector()
