import numpy as np
import pytest

from latelier.contracts.inputs import Box
from latelier.pipeline.planning.references.areas import list_areas

GROUPS = {1: "food", 2: "birds"}


def paint(*areas, side=64):
    labels = np.zeros((side, side), dtype=np.uint8)
    for label, rows, columns in areas:
        labels[slice(*rows), slice(*columns)] = label
    return labels


def test_connected_parts_of_a_group_are_areas_the_largest_first():
    labels = paint((1, (0, 8), (0, 8)), (1, (20, 40), (20, 30)), (2, (40, 60), (0, 40)))
    areas = list_areas(labels, GROUPS)
    assert [area.group for area in areas] == ["birds", "food", "food"]
    assert areas[0].box == Box(x0=0, y0=40 / 64, x1=40 / 64, y1=60 / 64)
    assert [area.shape.shape for area in areas] == [(20, 40), (20, 10), (8, 8)]


def test_labels_that_are_no_groups_are_left_out():
    assert list_areas(paint((3, (0, 64), (0, 64))), GROUPS) == []


def test_stray_pixels_are_no_areas():
    assert list_areas(paint((1, (0, 3), (0, 3))), GROUPS) == []


@pytest.mark.parametrize("side", [32, 64, 100, 128, 1001])
def test_boxes_and_shapes_of_areas_are_exact_in_maps_of_any_size(side):
    top, bottom, left = side // 4 + 1, side // 2 - 1, side // 2 + 1
    labels = paint((1, (top, bottom), (left, side)), side=side)
    [area] = list_areas(labels, GROUPS)
    assert area.box == Box(x0=left / side, y0=top / side, x1=1, y1=bottom / side)
    assert area.shape.shape == (bottom - top, side - left)
    assert area.shape.all()


def test_an_area_has_its_own_pixels_alone():
    ring, inner, far = (slice(8, 40), slice(8, 40)), (slice(20, 30), slice(20, 30)), slice(60, 88)
    labels = np.zeros((128, 128), dtype=np.uint8)
    labels[ring], labels[inner], labels[far, far] = 1, 2, 1
    first, second, third = list_areas(labels, GROUPS)
    assert [area.group for area in (first, second, third)] == ["food", "food", "birds"]
    assert np.array_equal(first.shape, labels[ring] == 1)
    assert (second.shape.shape, third.shape.shape) == ((28, 28), (10, 10))


@pytest.mark.parametrize("gap", [3, 4, 5])
def test_areas_a_few_pixels_apart_have_none_of_each_other(gap):
    rows, end = slice(50, 81), 41
    labels = np.zeros((128, 128), dtype=np.uint8)
    labels[rows, 8:end], labels[rows, end + gap : 79] = 1, 1
    left, right = sorted(list_areas(labels, GROUPS), key=lambda area: area.box.x0)
    assert (left.box.x0 * 128, left.box.x1 * 128) == (8, end)
    assert (right.box.x0 * 128, right.box.x1 * 128) == (end + gap, 79)


def test_a_shape_that_winds_is_one_area():
    labels = np.zeros((64, 64), dtype=np.uint8)
    labels[::8] = 1
    for k in range(7):
        labels[8 * k : 8 * k + 8, 0 if k % 2 else 63] = 1
    assert len(list_areas(labels, GROUPS)) == 1
