"""A detector that says exactly what the labels of scenes say."""

from collections.abc import Callable, Sequence
from typing import cast

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from latelier.data.emoji_scenes import (
    BACKGROUND_KINDS,
    PALETTE,
    SEMANTIC_CLASSES,
    Scene,
    all_glyphs,
)
from latelier.data.emoji_scenes.places import PLACES
from latelier.evaluation.detector.labels import label_scene
from latelier.metrics.scene_detector import SceneDetection, SceneDetector


def _detect_perfectly(scenes: Sequence[Scene]) -> SceneDetection:
    """Return the labels of scenes as logits."""
    labels = [label_scene(scene) for scene in scenes]

    def logits(name: str, classes: int) -> Tensor:
        numbers = torch.stack([each[name] for each in labels]).clamp(min=0)  # type: ignore[literal-required]
        return 20 * one_hot(numbers, classes).float()

    return SceneDetection(
        cells=logits("glyph", len(all_glyphs())).permute(0, 3, 1, 2),
        box=torch.stack([each["box"] for each in labels]),
        semantics=logits("semantics", len(SEMANTIC_CLASSES)).permute(0, 3, 1, 2),
        kind=logits("kind", len(BACKGROUND_KINDS)),
        place=logits("place", len(PLACES)),
        color=logits("color", len(PALETTE)),
        second_color=logits("second_color", len(PALETTE)),
    )


class _PerfectDetector(torch.nn.Module):
    """Stands for a detector that knows which scenes its pictures show, in their order.

    The features of its cells are the logits of the drawings.
    """

    def __init__(self, scenes: Sequence[Scene]) -> None:
        super().__init__()
        self.scenes = list(scenes)
        self.done = 0

    def forward(self, images: Tensor) -> SceneDetection:
        """Return the labels of the next scenes."""
        batch = self.scenes[self.done : self.done + len(images)]
        self.done = (self.done + len(images)) % len(self.scenes)
        return _detect_perfectly(batch)

    def name(self, features: Tensor) -> Tensor:
        """Return the logits."""
        return features


@pytest.fixture
def perfect_detection() -> Callable[[Sequence[Scene]], SceneDetection]:
    """Return a function that makes the labels of scenes a detection."""
    return _detect_perfectly


@pytest.fixture
def perfect_detector() -> Callable[[Sequence[Scene]], SceneDetector]:
    """Return a function that makes a detector of scenes, in whose order pictures are detected."""
    return lambda scenes: cast("SceneDetector", _PerfectDetector(scenes))
