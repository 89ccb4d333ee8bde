"""Where windows lie and how they are weighted, over many sizes."""

import random
from itertools import pairwise
from math import ceil

import pytest
import torch

from latelier.pipeline.tiling.windows import make_windows

RNG = random.Random(0)
OVERLAPS = (0, 0.1, 0.25, 0.5, 0.75, 0.8, 0.9)
MANY = [
    (
        (RNG.randint(1, 40), RNG.randint(1, 40)),
        (RNG.randint(1, 48), RNG.randint(1, 48)),
        RNG.choice(OVERLAPS),
    )
    for _ in range(200)
]
KNOWN = [
    ((16, 16), (16, 16), 0.5),  # one window
    ((16, 64), (16, 16), 0.5),  # a single row
    ((64, 16), (16, 16), 0.5),  # a single column
    ((17, 33), (16, 16), 0),
    ((64, 64), (1, 1), 0.9),
    ((1, 1), (1, 1), 0),
    ((20, 128), (16, 64), 0.25),  # not square, of other proportions than the whole
]


def summed(windows, size):
    total = torch.zeros(size, dtype=torch.float64)
    for window in windows:
        window.of(total).add_(window.weights)
    return total


def spans(windows, axis):
    """The spans along one side, each once, in order."""
    return sorted({(getattr(w, axis).start, getattr(w, axis).stop) for w in windows})


@pytest.mark.parametrize(("size", "side", "overlap"), MANY + KNOWN)
def test_the_weights_are_above_0_and_add_up_to_1_everywhere(size, side, overlap):
    windows = make_windows(size, side, overlap)
    assert all((window.weights > 0).all() for window in windows)
    torch.testing.assert_close(
        summed(windows, size), torch.ones(size, dtype=torch.float64), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize(("size", "side", "overlap"), MANY + KNOWN)
def test_windows_are_spread_evenly_from_edge_to_edge_and_overlap_enough(size, side, overlap):
    windows = make_windows(size, side, overlap)
    for axis, length, wanted in zip(("rows", "columns"), size, side):
        extent = min(wanted, length)
        taken = spans(windows, axis)
        assert (taken[0][0], taken[-1][1]) == (0, length)
        assert {stop - start for start, stop in taken} == {extent}
        steps = [after[0] - before[0] for before, after in pairwise(taken)]
        assert max(steps, default=0) - min(steps, default=0) <= 1
        largest = max(1, int(extent - overlap * extent + 1e-9))
        assert all(1 <= step <= largest for step in steps)
        assert len(taken) == 1 + ceil((length - extent) / largest)  # no more than are needed
    assert len(windows) == len(spans(windows, "rows")) * len(spans(windows, "columns"))


@pytest.mark.parametrize(("size", "side", "overlap"), MANY + KNOWN)
def test_boxes_are_fractions_of_the_picture(size, side, overlap):
    height, width = size
    for window in make_windows(size, side, overlap):
        x0, y0, x1, y1 = window.box
        assert window.weights.shape == window.of(torch.zeros(size)).shape
        assert (round(x0 * width), round(x1 * width)) == (window.columns.start, window.columns.stop)
        assert (round(y0 * height), round(y1 * height)) == (window.rows.start, window.rows.stop)
        assert 0 <= x0 < x1 <= 1
        assert 0 <= y0 < y1 <= 1


@pytest.mark.parametrize("overlap", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("size", [(16, 64), (64, 16), (40, 72)])
def test_window_weights_fade_in_overlaps(size, overlap):
    """A step in the weights would be a seam in the picture."""
    for window in make_windows(size, (16, 16), overlap):
        inner_edges = [
            (window.rows.start > 0, window.weights[0]),
            (window.rows.stop < size[0], window.weights[-1]),
            (window.columns.start > 0, window.weights[:, 0]),
            (window.columns.stop < size[1], window.weights[:, -1]),
        ]
        assert all(weights.max() < 0.05 for is_inner, weights in inner_edges if is_inner)


def test_a_window_as_large_as_the_picture_is_the_picture():
    for side in ((12, 20), (12, 99), (99, 99)):
        (window,) = make_windows((12, 20), side, 0.5)
        assert window.box == (0, 0, 1, 1)
        assert torch.equal(window.weights, torch.ones(12, 20))


def test_a_known_case_has_its_windows():
    windows = make_windows((64, 256), (64, 64), 0.5)
    assert [window.columns.start for window in windows] == [0, 32, 64, 96, 128, 160, 192]
    assert {(window.rows.start, window.rows.stop) for window in windows} == {(0, 64)}
    assert [w.columns.start for w in make_windows((64, 160), (64, 64), 0.5)] == [0, 32, 64, 96]
    assert [w.columns.start for w in make_windows((64, 100), (64, 64), 0.5)] == [0, 18, 36]
    assert [w.rows.start for w in make_windows((30, 10), (10, 10), 0.8)] == list(range(0, 22, 2))


def test_windows_are_in_row_order():
    windows = make_windows((32, 48), (16, 16), 0)
    assert [(w.rows.start, w.columns.start) for w in windows] == [
        (row, column) for row in (0, 16) for column in (0, 16, 32)
    ]
