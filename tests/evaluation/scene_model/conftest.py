"""Scenes, and the judgement of pictures that show them."""

from collections.abc import Callable, Sequence

import pytest
from torch import Tensor

from latelier.data.emoji_scenes import Scene, SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.scene_model.examples import JudgedPictures, judge
from latelier.evaluation.scenes import read_scenes, to_images
from latelier.metrics.scene_detector import SceneDetector

Detectors = Callable[[Sequence[Scene]], SceneDetector]


@pytest.fixture(scope="session")
def scenes() -> list[Scene]:
    """Return scenes of one to three objects, 128 x 128."""
    config = SceneConfig(size=128, objects=(1, 3), vocabulary="all", captioned_background=1.0)
    return read_scenes(EmojiScenes(config, seed=11, length=10))


@pytest.fixture(scope="session")
def lone() -> list[Scene]:
    """Return scenes of one object, 64 x 64."""
    return read_scenes(EmojiScenes(SceneConfig(vocabulary="all"), seed=12, length=4))


@pytest.fixture
def judged(perfect_detector: Detectors) -> Callable[..., JudgedPictures]:
    """Return a function that judges pictures of scenes as if they showed `shown`."""

    def judge_as(
        scenes: Sequence[Scene], shown: Sequence[Scene] | None = None, images: Tensor | None = None
    ) -> JudgedPictures:
        shown = scenes if shown is None else shown
        pictures = to_images(shown) if images is None else images
        return judge(perfect_detector(shown), pictures, scenes)

    return judge_as
