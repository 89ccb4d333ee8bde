"""Measures a model under a condition, beside its first stage and the scenes themselves."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from latelier.contracts.features import FeatureStatistics
from latelier.data.emoji_scenes import Scene, SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.data.emoji_scenes.glyphs import VocabularyName
from latelier.evaluation.detector.reading import read_pictures
from latelier.evaluation.scene_model.conditions import Condition
from latelier.evaluation.scene_model.examples import (
    JudgedPictures,
    generate,
    judge,
    reconstruct,
)
from latelier.evaluation.scenes import read_batches, read_scenes, stack_pictures, to_images
from latelier.metrics.frechet import frechet_distance
from latelier.metrics.scene_detector import SceneDetector
from latelier.pipeline import Pipeline

Part = Literal["seen", "never_seen"]
_STATISTICS_BATCH = 100


@dataclass(frozen=True)
class SceneTest:
    """A model and the scenes that it is measured with.

    Attributes:
        pipeline: the model.
        detector: sees what pictures show.
        size: side of the scenes in pixels.
        vocabulary: of the scenes.
        count: scenes of each part.
        seed: of the scenes and pictures.
        reference_count: further scenes, whose features the Fréchet distance is measured to.
        options: further keywords of `Pipeline.generate`, such as `steps`.
    """

    pipeline: Pipeline
    detector: SceneDetector
    size: int
    vocabulary: VocabularyName = "all"
    count: int = 500
    seed: int = 7_300_000
    reference_count: int = 10_000
    options: Mapping[str, Any] = field(default_factory=dict)

    def scenes(self, condition: Condition, part: Part) -> SceneConfig:
        """Return the configuration of the scenes of a condition."""
        drawings = {"seen": "train", "never_seen": "held_out"}[part]
        return SceneConfig.model_validate(
            {
                "size": self.size,
                "vocabulary": self.vocabulary,
                "part": "all" if condition.is_own else drawings,
                **condition.scenes,
            }
        )


def list_parts(condition: Condition) -> tuple[Part, ...]:
    """Return the parts that a condition is measured on."""
    return ("never_seen",) if condition.is_own else ("seen", "never_seen")


def measure_condition(
    test: SceneTest, condition: Condition, part: Part
) -> tuple[dict[str, dict[str, float]], Tensor]:
    """Return the values of "model", "first_stage" and "rendered", and the model's pictures.

    The pictures of the first stage are its reconstructions of the scenes, with the known pixels of
    a condition with a mask.
    """
    config = test.scenes(condition, part)
    scenes = read_scenes(EmojiScenes(config, test.seed, test.count))
    made = generate(test.pipeline, scenes, condition.inputs, test.seed, **test.options)
    measure = _make_measure(test, condition, config)
    measured = {
        source: measure(judge(test.detector, images, scenes))
        for source, images in _sources(test, condition, made, scenes)
    }
    return measured, made


def _sources(
    test: SceneTest, condition: Condition, made: Tensor, scenes: list[Scene]
) -> Iterator[tuple[str, Tensor]]:
    rendered = to_images(scenes)
    copies = reconstruct(test.pipeline, rendered)
    if masks := condition.inputs(scenes).get("mask"):
        copies = torch.where(stack_pictures(masks) > 0, copies, rendered)
    yield "model", made
    yield "first_stage", copies
    yield "rendered", rendered


def _make_measure(
    test: SceneTest, condition: Condition, config: SceneConfig
) -> Callable[[JudgedPictures], dict[str, float]]:
    """Return all measures of a condition as one."""
    has_frechet = any(figure.name == "frechet" for figure in condition.figures)
    statistics = _measure_statistics(test, config) if has_frechet else None

    def measure(pictures: JudgedPictures) -> dict[str, float]:
        values = {
            name: value for each in condition.measures for name, value in each(pictures).items()
        }
        if statistics is not None:
            features = FeatureStatistics.from_features(pictures.reading.features)
            values["frechet"] = frechet_distance(features, statistics)
        return values

    return measure


def _measure_statistics(test: SceneTest, config: SceneConfig) -> FeatureStatistics:
    """Return the statistics of features of scenes with another seed."""
    scenes = EmojiScenes(config, test.seed + 1, test.reference_count)
    features = [
        read_pictures(test.detector, to_images(batch)).features
        for batch in read_batches(scenes, _STATISTICS_BATCH)
    ]
    return FeatureStatistics.from_features(torch.cat(features))
