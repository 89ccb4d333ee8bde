from itertools import combinations

import numpy as np
import pytest

from latelier.contracts.inputs import Box
from latelier.pipeline.planning.references.arrangement.boxes import arrange
from latelier.pipeline.planning.references.arrangement.wishes import Wishes, read_wishes

SEEDS = range(12)


def draw(text="", aspects=(1.0,), size=(128, 128), seed=0, **options):
    return arrange(aspects, read_wishes(text), size, np.random.default_rng(seed), **options)


def centre(box):
    return (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2


def side(box):
    return max(box.x1 - box.x0, box.y1 - box.y0)


def overlap(a, b):
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    return max(width, 0) * max(height, 0)


def test_a_seed_gives_the_same_boxes_and_another_one_others():
    assert draw(seed=1) == draw(seed=1) != draw(seed=2)


@pytest.mark.parametrize("size", [(128, 128), (512, 128), (64, 192)])
@pytest.mark.parametrize("aspect", [0.3, 1.0, 2.5])
def test_boxes_have_the_aspect_of_their_pictures_and_lie_inside(size, aspect):
    for seed in SEEDS:
        for box in draw(aspects=(aspect, 1.0), size=size, seed=seed)[:1]:
            width, height = (box.x1 - box.x0) * size[0], (box.y1 - box.y0) * size[1]
            assert width / height == pytest.approx(aspect)


def test_a_lone_object_is_near_the_centre():
    centres = np.array([centre(draw(seed=seed)[0]) for seed in SEEDS])
    assert np.abs(centres - 0.5).max() <= 0.07
    assert centres.std() > 0.01


@pytest.mark.parametrize("count", [2, 3])
def test_several_objects_do_not_overlap(count):
    for seed in SEEDS:
        boxes = draw(aspects=(1.0,) * count, seed=seed)
        assert all(overlap(a, b) == 0 for a, b in combinations(boxes, 2))
        assert all(0.33 <= side(each) <= 0.56 for each in boxes)


@pytest.mark.parametrize("aspects", [(1.0, 0.7), (1.0, 0.7, 1.4)])
@pytest.mark.parametrize("size", [(128, 128), (192, 128)])
def test_several_objects_are_balanced(aspects, size):
    for seed in SEEDS:
        boxes = draw(aspects=aspects, size=size, seed=seed)
        areas = [(each.x1 - each.x0) * (each.y1 - each.y0) for each in boxes]
        middle = np.average([centre(each) for each in boxes], axis=0, weights=areas)
        assert np.abs(middle - 0.5).max() <= 0.09
        assert all(0.025 <= end <= 0.975 for each in boxes for end in vars(each).values())


@pytest.mark.parametrize(
    ("words", "axis", "sign"),
    [("to the left of", 0, -1), ("to the right of", 0, 1), ("above", 1, -1), ("below", 1, 1)],
)
def test_relations_are_met(words, axis, sign):
    for seed in SEEDS:
        a, b = draw(f"#1 {words} #2", (1.0, 0.6), seed=seed)
        assert sign * (centre(a)[axis] - centre(b)[axis]) > 0
        other = "yx"[axis]  # along which they are level
        ends = [[getattr(each, f"{other}{k}") for k in (0, 1)] for each in (a, b)]
        assert min(ends[0][1], ends[1][1]) > max(ends[0][0], ends[1][0])
        assert overlap(a, b) == 0


def test_an_object_in_front_is_smaller_and_over_the_other_one():
    for seed in SEEDS:
        front, back = draw("#1 in front of #2", (1.0, 1.0), seed=seed)
        assert side(front) < side(back)
        assert overlap(front, back) > 0
        back, front = draw("#1 behind #2", (1.0, 1.0), seed=seed)
        assert side(front) < side(back)


@pytest.mark.parametrize("words", ["in front of", "behind", "overlapping"])
def test_no_object_hides_another_one(words):
    for seed in SEEDS:
        a, b = draw(f"#1 {words} #2", (1.0, 0.8), seed=seed)
        depths = [
            (min(getattr(a, f"{axis}1"), getattr(b, f"{axis}1"))
            - max(getattr(a, f"{axis}0"), getattr(b, f"{axis}0")))
            / min(getattr(each, f"{axis}1") - getattr(each, f"{axis}0") for each in (a, b))
            for axis in "xy"
        ]  # fmt: skip
        assert min(depths) <= 0.61
        assert max(depths) > 0.1


def test_places_and_sizes_are_met():
    for seed in SEEDS:
        a, b = draw("a small #1 in the top left corner and a huge #2", (1.0, 1.0), seed=seed)
        assert max(centre(a)) <= 0.38
        assert side(b) >= 1.4 * side(a)
    assert side(draw("a tiny #1")[0]) < 0.45
    assert side(draw("a giant #1")[0]) > 0.72


def test_all_objects_are_in_the_region():
    region = Box(x0=0.5, y0=0.25, x1=1, y1=0.75)
    for seed in SEEDS:
        for box in draw("#1 to the left of #2", (1.0, 2.0), seed=seed, region=region):
            assert min(box.x0 - 0.5, box.y0 - 0.25, 1 - box.x1, 0.75 - box.y1) > -1e-9


@pytest.mark.parametrize("aspect", [0.3, 1.0, 2.5])
@pytest.mark.parametrize(
    ("words", "low", "high"), [("", 0.75, 0.95), ("small ", 0.4, 0.55), ("large ", 0.9, 1)]
)
def test_a_lone_object_fills_a_part_of_the_picture(aspect, words, low, high):
    region = Box(x0=0.2, y0=0.1, x1=0.5, y1=0.9)
    for seed in SEEDS:
        (box,) = draw(f"a {words}#1", (aspect,), seed=seed, region=region)
        filled = max((box.x1 - box.x0) / 0.3, (box.y1 - box.y0) / 0.8)
        assert low - 1e-9 <= filled <= high + 1e-9
        assert (box.x1 - box.x0) / (box.y1 - box.y0) == pytest.approx(aspect)
        assert min(box.x0 - 0.2, box.y0 - 0.1, 0.5 - box.x1, 0.9 - box.y1) > -1e-9


def test_wishes_that_contradict_each_other_still_give_boxes():
    wishes = Wishes(relations=((0, "above", 1), (1, "above", 0)), places={5: (0, 0)})
    assert len(arrange((1.0, 1.0), wishes, (64, 64), np.random.default_rng(0))) == 2
