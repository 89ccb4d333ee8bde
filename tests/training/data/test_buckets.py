from collections import Counter

import numpy as np
import pytest

from latelier.training.configs.data import BucketConfig
from latelier.training.data.buckets import BucketOrder, Buckets, bucket_sizes, nearest_buckets
from latelier.training.data.order import Mixture

ROUND = 32 * 3 * 4
"""Draws of a round: 32 batches of 4 for each of three buckets."""


def order_of(counts, fill, seed=0):
    """An order of samples of which `counts` lie in each of three buckets."""
    of_samples = np.repeat(np.arange(3), counts)
    buckets = Buckets([(2, 4), (3, 3), (4, 2)], [of_samples])
    mixture = Mixture([len(of_samples)], None, seed)
    return BucketOrder(mixture, buckets, 4, seed, fill), mixture, of_samples


def test_sizes_have_about_one_area_and_bounded_ratios():
    sizes = bucket_sizes(512 * 512, BucketConfig(step=64, max_ratio=2))
    assert (512, 512) in sizes
    assert all(width % 64 == 0 and height % 64 == 0 for width, height in sizes)
    assert all(0.5 <= width / height <= 2 for width, height in sizes)
    assert all(width * height == pytest.approx(512 * 512, rel=0.13) for width, height in sizes)
    assert [(h, w) for w, h in sizes] == sizes[::-1]


def test_a_ratio_of_one_leaves_one_size():
    assert bucket_sizes(100 * 100, BucketConfig(step=32, max_ratio=1)) == [(96, 96)]


def test_the_nearest_ratio_is_chosen():
    sizes = [(2, 4), (3, 3), (4, 2)]
    pictures = np.array([[100, 100], [100, 190], [300, 100], [125, 100]], dtype=np.int32)
    assert nearest_buckets(pictures, sizes).tolist() == [1, 0, 2, 1]


@pytest.mark.parametrize("fill", ["nearest", "repeat"])
def test_the_rows_of_a_batch_have_one_size(fill):
    order, _, _ = order_of([7, 5, 2], fill)
    for batch in range(2 * ROUND // 4):
        assert len({order.locate(4 * batch + row)[1] for row in range(4)}) == 1


def test_each_draw_of_a_round_has_one_place():
    order, _, _ = order_of([7, 5, 2], "nearest")
    for first in (0, ROUND):
        draws = [order.locate(position)[0] for position in range(first, first + ROUND)]
        assert sorted(draws) == list(range(first, first + ROUND))


def test_few_samples_change_their_size():
    order, mixture, of_samples = order_of([70, 50, 3], "nearest")
    sizes = [(2, 4), (3, 3), (4, 2)]
    changed = 0
    for position in range(ROUND):
        draw, size = order.locate(position)
        changed += size != sizes[of_samples[mixture.locate(draw)[1]]]
    assert changed <= 8


def test_repeats_keep_every_sample_in_its_own_size_and_as_frequent():
    order, mixture, of_samples = order_of([20, 9, 1], "repeat")
    sizes = [(2, 4), (3, 3), (4, 2)]
    counts = Counter()
    for position in range(30 * ROUND):
        draw, size = order.locate(position)
        number = mixture.locate(draw)[1]
        assert size == sizes[of_samples[number]]
        counts[number] += 1
    assert len(counts) == 30
    assert all(count == pytest.approx(ROUND, rel=0.3) for count in counts.values())


def test_replacements_are_of_the_same_bucket_before_those_of_the_nearest_ratio():
    sizes = [(2, 6), (3, 4), (4, 4), (6, 2)]
    buckets = Buckets(sizes, [np.array([0, 2, 1, 2]), np.array([2, 3, 1, 2])])
    mixture = Mixture([4, 4], None, 0)
    order = BucketOrder(mixture, buckets, 4, 0, "repeat")
    found = list(order.list_replacements(0, 1, (4, 4), np.random.default_rng(0)))
    assert found[0] == (0, 3)
    assert set(found[1:3]) == {(1, 0), (1, 3)}
    assert found[3:5] == [(0, 2), (1, 2)]
    assert set(found[5:]) == {(0, 0), (1, 1)}
