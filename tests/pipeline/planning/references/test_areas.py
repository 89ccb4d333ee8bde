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


@pytest.mark.parametrize("side", [32, 64, 100, 1000])
def test_areas_of_maps_of_any_size_have_the_same_places(side):
    labels = paint((1, (side // 4, side // 2), (side // 2, side)), side=side)
    [area] = list_areas(labels, GROUPS)
    for name, value in {"x0": 0.5, "y0": 0.25, "x1": 1.0, "y1": 0.5}.items():
        assert getattr(area.box, name) == pytest.approx(value, abs=0.02)


def test_a_shape_that_winds_is_one_area():
    labels = np.zeros((64, 64), dtype=np.uint8)
    labels[::8] = 1
    for k in range(7):
        labels[8 * k : 8 * k + 8, 0 if k % 2 else 63] = 1
    assert len(list_areas(labels, GROUPS)) == 1
