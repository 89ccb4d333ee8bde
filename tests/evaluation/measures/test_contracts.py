"""The conformance kit on the measures of the core."""

import numpy as np

from latelier.data.emoji_scenes import SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.testing import MeasureContract

_CONFIG = SceneConfig(size=64, objects=(1, 2), captioned_background=1.0)
_SAMPLES = tuple(
    {
        "scene": EmojiScenes(_CONFIG, seed=5, length=3).scene(k),
        "mask": np.pad(np.ones((8 + k, 8)), ((0, 56 - k), (0, 56))),
        "class_label": k,
    }
    for k in range(3)
)


class MeasureOfCore(MeasureContract):
    samples = _SAMPLES
    size = (64, 64)


class TestFrechetDistance(MeasureOfCore):
    component = "frechet_distance"
    config = {"groups": 6}


class TestKernelDistance(MeasureOfCore):
    component = "kernel_distance"
    config = {"subset_size": 10}


class TestInceptionScore(MeasureOfCore):
    component = "inception_score"


class TestPrecisionRecall(MeasureOfCore):
    component = "precision_recall"
    config = {"pictures": 20}


class TestDensityCoverage(MeasureOfCore):
    component = "density_coverage"


class TestPsnr(MeasureOfCore):
    component = "psnr"


class TestSsim(MeasureOfCore):
    component = "ssim"


class TestSceneDistance(MeasureOfCore):
    component = "scene_distance"


class TestMaskedRegion(MeasureOfCore):
    component = "masked_region"


class TestClassAccuracy(MeasureOfCore):
    component = "class_accuracy"


class TestSceneObjects(MeasureOfCore):
    component = "scene_objects"


class TestSceneLayout(MeasureOfCore):
    component = "scene_layout"


class TestSceneMap(MeasureOfCore):
    component = "scene_map"


class TestSceneBackground(MeasureOfCore):
    component = "scene_background"
