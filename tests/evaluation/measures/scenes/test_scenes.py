"""Measures of built-in scenes; what their outcomes are is tested in tests/evaluation/detector."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from latelier.contracts.measures import EvaluatedPictures, Figure
from latelier.data.emoji_scenes import Scene, SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.detector.reading import SceneReading, read_pictures
from latelier.evaluation.mean_iou import mean_iou
from latelier.evaluation.measures.configs import NoOptions
from latelier.evaluation.measures.scenes import reading as module
from latelier.evaluation.measures.scenes.background import SceneBackground
from latelier.evaluation.measures.scenes.layout import SceneLayout
from latelier.evaluation.measures.scenes.objects import SceneObjects
from latelier.evaluation.measures.scenes.semantic_map import SceneMap
from latelier.evaluation.scene_model.examples import judge
from latelier.evaluation.scene_model.measures import (
    measure_background,
    measure_layout,
    measure_map,
    measure_presence,
)
from latelier.evaluation.scenes import read_scenes, to_images

Values = Callable[..., dict[str, Figure]]
MEASURES = (SceneObjects, SceneLayout, SceneMap, SceneBackground)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    """Scenes of one to three objects, of which the last states nothing of its background."""
    config = SceneConfig(size=128, objects=(1, 3), vocabulary="all", captioned_background=1.0)
    scenes = read_scenes(EmojiScenes(config, seed=11, length=9))
    last = scenes[-1]
    return [*scenes[:-1], replace(last, claims=replace(last.claims, background=False))]


@pytest.fixture
def measure_scenes(measure_pictures, perfect_detector, monkeypatch) -> Values:
    """Return the figures of scenes of which the detector sees `shown`, in batches of 2."""

    def run(kind, scenes, shown):
        detector = perfect_detector(shown)
        monkeypatch.setattr(module, "read_pictures", lambda _, x: read_pictures(detector, x))
        images = torch.stack([torch.from_numpy(s.image).permute(2, 0, 1) for s in shown])
        samples = [{"scene": scene} for scene in scenes]
        return measure_pictures(kind(NoOptions()), images, samples=samples)

    return run


@pytest.mark.parametrize("kind", MEASURES)
def test_scenes_themselves_are_right(measure_scenes, kind, scenes) -> None:
    figures = measure_scenes(kind, scenes, scenes)
    for name, figure in figures.items():
        low = 0.75 if name in {"mean_iou", "box_iou"} else 1  # the detector's maps are coarse
        assert low <= figure.value <= 1, name
        assert figure.low <= figure.value <= figure.high


@pytest.mark.parametrize("kind", [SceneObjects, SceneLayout, SceneMap])
def test_other_scenes_are_wrong(measure_scenes, kind, scenes) -> None:
    figures = measure_scenes(kind, scenes, [*scenes[1:], scenes[0]])
    assert max(figure.value for figure in figures.values()) < 0.4


@pytest.mark.parametrize(
    ("kind", "measure"),
    [
        (SceneObjects, measure_presence),
        (SceneLayout, measure_layout),
        (SceneMap, measure_map),
        (SceneBackground, measure_background),
    ],
)
def test_values_are_those_of_all_scenes_together(
    measure_scenes, perfect_detector, kind, measure, scenes
) -> None:
    shown = [*scenes[:5], scenes[6], scenes[5], scenes[8], scenes[7]]
    figures = measure_scenes(kind, scenes, shown)
    expected = measure(judge(perfect_detector(shown), to_images(shown), scenes))
    for name, value in expected.items():
        assert figures[name].value == pytest.approx(value), name


def test_the_first_choice_is_of_lone_objects(measure_scenes, scenes) -> None:
    lone = [scene for scene in scenes if len(scene.objects) == 1]
    assert len(lone) >= 2
    figures = measure_scenes(SceneObjects, scenes, scenes)
    assert figures["first_choice"].value == 1
    swapped = [lone[1], lone[0], *lone[2:]]
    one_wrong = measure_scenes(SceneObjects, lone, swapped)
    assert one_wrong["first_choice"].value == pytest.approx(1 - 2 / len(lone))
    several = [scene for scene in scenes if len(scene.objects) > 1]
    assert "first_choice" not in measure_scenes(SceneObjects, several, several)
    assert "relation" not in measure_scenes(SceneObjects, lone, lone)


def test_the_iou_of_boxes_counts_missing_objects(measure_scenes, scenes) -> None:
    figures = measure_scenes(SceneLayout, scenes, [*scenes[:-1], scenes[0]])
    whole = measure_scenes(SceneLayout, scenes[:-1], scenes[:-1])
    boxes = sum(len(scene.objects) for scene in scenes)
    missing = len(scenes[-1].objects)
    expected = whole["box_iou"].value * (boxes - missing) / boxes
    assert figures["box_iou"].value == pytest.approx(expected)


def test_backgrounds_that_no_caption_names_have_no_figure(measure_scenes, scenes) -> None:
    silent = [replace(s, claims=replace(s.claims, background=False)) for s in scenes]
    assert measure_scenes(SceneBackground, silent, scenes) == {}


def test_the_mean_iou_is_not_that_of_pictures(measure_scenes, scenes) -> None:
    """It is of all pixels together, since few pictures have all classes."""
    shown = [*scenes[1:], scenes[0]]
    figures = measure_scenes(SceneMap, scenes, shown)
    maps = [torch.from_numpy(np.stack([s.semantic_map for s in each])) for each in (shown, scenes)]
    assert figures["mean_iou"].value == pytest.approx(mean_iou(*maps, 12), abs=0.05)


def test_pictures_are_read_once_for_all_measures(scenes, monkeypatch) -> None:
    read = []

    def count(_detector, images) -> SceneReading:
        read.append(len(images))
        return read_pictures(_detector, images)

    monkeypatch.setattr(module, "read_pictures", count)
    images = torch.from_numpy(scenes[0].image).permute(2, 0, 1)[None]
    pictures = EvaluatedPictures(images, [{"scene": scenes[0]}])
    for kind in MEASURES:
        kind(NoOptions()).record(pictures)
    assert read == [1]
