from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from latelier.data.emoji_scenes import Scene, SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.scene_model.examples import JudgedPictures
from latelier.evaluation.scene_model.masks import enlarge, hide_object, reduce, to_picture
from latelier.evaluation.scene_model.measures import (
    Measure,
    measure_background,
    measure_first_choice,
    measure_fit,
    measure_inpainting,
    measure_layout,
    measure_map,
    measure_presence,
    measure_super_resolution,
    measure_together,
)
from latelier.evaluation.scenes import read_scenes, to_images

Judge = Callable[..., JudgedPictures]


@pytest.mark.parametrize(
    ("measure", "names"),
    [
        (measure_presence, {"all_present", "relation"}),
        (measure_background, {"kind", "place", "color", "background"}),
        (measure_layout, {"layout"}),
        (measure_inpainting, {"exact", "found"}),
        (measure_together, {"together"}),
    ],
)
def test_scenes_themselves_have_one(
    measure: Measure, names: set[str], scenes: list[Scene], judged: Judge
) -> None:
    assert dict(measure(judged(scenes))) == dict.fromkeys(names, 1.0)


@pytest.mark.parametrize("measure", [measure_presence, measure_layout, measure_together])
def test_other_scenes_have_nothing_of_it(
    measure: Measure, scenes: list[Scene], judged: Judge
) -> None:
    others = [*scenes[1:], scenes[0]]
    assert max(measure(judged(scenes, shown=others)).values()) <= 0.1


def test_the_map_of_scenes_has_nearly_one(scenes: list[Scene], judged: Judge) -> None:
    assert measure_map(judged(scenes))["mean_iou"] > 0.8  # the detector's maps are coarse
    assert measure_map(judged(scenes, shown=scenes[::-1]))["mean_iou"] < 0.4


def test_the_first_choice_is_that_of_the_largest_object(lone: list[Scene], judged: Judge) -> None:
    assert measure_first_choice(judged(lone)) == {"first_choice": 1.0}
    half = [*lone[:2], *lone[:2]]
    assert measure_first_choice(judged(lone, shown=half)) == {"first_choice": 0.5}


def test_the_fit_of_scenes_is_high_and_that_of_others_low(lone: list[Scene], judged: Judge) -> None:
    own = measure_fit(judged(lone))
    assert own["fit_25"] <= own["fit"] <= own["fit_75"]
    assert own["fit"] > 25
    assert measure_fit(judged(lone, shown=lone[::-1]))["fit"] < 16


def test_known_pixels_must_be_exact(lone: list[Scene], judged: Judge) -> None:
    images = to_images(lone)
    x0, y0, x1, y1 = (round(64 * side) for side in lone[0].objects[0].box)
    inside = images.clone()
    inside[0, :, (y0 + y1) // 2, (x0 + x1) // 2] = 1
    assert measure_inpainting(judged(lone, images=inside))["exact"] == 1
    outside = images.clone()
    outside[0, 0, 0, 0] = outside[0, 0, 0, 0] + 2 / 255
    assert measure_inpainting(judged(lone, images=outside))["exact"] == 0.75


def test_bicubic_enlargement_gains_nothing(lone: list[Scene], judged: Judge) -> None:
    pictures = [np.array(enlarge(scene)) for scene in lone]
    images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) / 127.5 - 1
    measured = measure_super_resolution(judged(lone, images=images))
    assert measured["gain"] == pytest.approx(0, abs=1e-3)
    better = measure_super_resolution(judged(lone, images=(images + to_images(lone)) / 2))
    assert better["gain"] == pytest.approx(20 * np.log10(2), abs=0.3)


def test_colors_may_be_in_any_order_and_unnamed_backgrounds_do_not_count(judged: Judge) -> None:
    config = SceneConfig(backgrounds=("gradient",), captioned_background=1.0)
    scenes = read_scenes(EmojiScenes(config, seed=2, length=6))
    turned = [
        replace(s, background=replace(s.background, colors=s.background.colors[::-1]))
        for s in scenes
    ]
    assert measure_background(judged(turned, shown=scenes))["color"] == 1
    silent = [replace(s, claims=replace(s.claims, background=False)) for s in scenes]
    assert measure_background(judged(silent)) == {}


def test_holes_cover_their_object_and_small_pictures_are_a_quarter(lone: list[Scene]) -> None:
    for scene in lone:
        hole = np.array(hide_object(scene))
        assert (hole[scene.mask()] == 255).all()
        assert set(np.unique(hole)) <= {0, 255}
        assert reduce(scene).size == (16, 16)
        assert enlarge(scene).size == to_picture(scene).size == (64, 64)


def test_values_of_no_scenes_are_left_out(lone: Sequence[Scene], judged: Judge) -> None:
    assert "relation" not in measure_presence(judged(lone))
