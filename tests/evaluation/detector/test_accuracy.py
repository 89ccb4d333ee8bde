"""The weights of the detector that ships: their file and their accuracy."""

import json
import math
from pathlib import Path

import pytest

from latelier.data.emoji_scenes import SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.detector.accuracy import measure_accuracy
from latelier.io.hashing import sha256_of
from latelier.metrics.scene_detector import SHIPPED_DETECTOR, load_detector

RECORD = json.loads(
    (Path(__file__).parents[3] / "benchmarks" / "detector" / "detector.json").read_text()
)
STATED = RECORD["held_out"]["accuracy"]


def test_the_weights_are_those_of_the_record_and_small() -> None:
    assert sha256_of(SHIPPED_DETECTOR) == RECORD["weights"]["sha256"]
    assert (SHIPPED_DETECTOR).stat().st_size < 7 * 2**20


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("one object, 128 pixels", SceneConfig(size=128, vocabulary="all")),
        (
            "two or three objects, 128 pixels",
            SceneConfig(size=128, vocabulary="all", objects=(2, 3)),
        ),
    ],
)
def test_the_accuracy_is_the_recorded_one(name: str, config: SceneConfig) -> None:
    count = 60
    measured = measure_accuracy(load_detector(), EmojiScenes(config, 9_000_001, count))
    for share in ("object", "box", "kind"):
        stated = STATED[name][share]
        assert measured[share] >= stated - 4 * math.sqrt(max(stated * (1 - stated), 0.01) / count)
