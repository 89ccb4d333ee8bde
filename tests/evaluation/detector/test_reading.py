from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor

from latelier.data.emoji_scenes import Scene, SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.detector.reading import read_pictures
from latelier.evaluation.scenes import read_scenes, to_images
from latelier.metrics.scene_detector import SceneDetection, SceneDetector


class _MistakenGroups(torch.nn.Module):
    """A detector that takes each object's pixels for those of another group."""

    def __init__(self, detector: SceneDetector) -> None:
        super().__init__()
        self.detector = detector
        self.name = detector.name

    def forward(self, images: Tensor) -> SceneDetection:
        detection = self.detector(images)
        background, groups = detection.semantics.split([4, 8], 1)
        return replace(detection, semantics=torch.cat([background, groups.roll(1, 1)], 1))


def test_the_pixels_of_an_object_are_of_its_group(
    perfect_detector: Callable[[Sequence[Scene]], SceneDetector],
) -> None:
    scenes = read_scenes(EmojiScenes(SceneConfig(size=128, vocabulary="all"), seed=6, length=4))
    detector = cast("SceneDetector", _MistakenGroups(perfect_detector(scenes)))
    maps = read_pictures(detector, to_images(scenes)).semantic_map
    expected = torch.stack([torch.from_numpy(scene.semantic_map) for scene in scenes])
    assert (maps == expected).float().mean() > 0.95
    assert (maps == expected)[expected >= 4].float().mean() > 0.9


def test_readings_do_not_depend_on_the_batch() -> None:
    torch.manual_seed(0)
    detector = SceneDetector().eval().requires_grad_(False)
    scenes = read_scenes(EmojiScenes(SceneConfig(size=64), seed=6, length=3))
    together, apart = (read_pictures(detector, to_images(scenes), size) for size in (3, 2))
    torch.testing.assert_close(together.features, apart.features)
    assert torch.equal(together.kind, apart.kind)
    assert [len(each) for each in together.objects] == [len(each) for each in apart.objects]
