import pickle
from collections import Counter

import numpy as np
import pytest

from latelier.training.data.order import Mixture


def draws(mixture, count):
    return [mixture.locate(draw) for draw in range(count)]


def test_an_epoch_has_each_sample_once_in_an_order_of_its_own():
    mixture = Mixture([7], None, seed=1)
    epochs = [[number for _, number in draws(mixture, 21)][k : k + 7] for k in (0, 7, 14)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_an_endless_source_counts_on():
    assert draws(Mixture([None], None, 0), 5) == [(0, k) for k in range(5)]


@pytest.mark.parametrize("weights", [None, [1.0, 3.0], [1000.0, 0.001]])
def test_each_source_is_read_in_epochs_whatever_its_weight(weights):
    mixture = Mixture([5, 11], weights, seed=3)
    located = draws(mixture, 20_000)
    for source, length in ((0, 5), (1, 11)):
        numbers = [number for each, number in located if each == source]
        whole = len(numbers) // length * length
        assert whole or weights == [1000.0, 0.001]
        for first in range(0, whole, length):
            assert sorted(numbers[first : first + length]) == list(range(length))
    counts = Counter(source for source, _ in located)
    expected = {None: 11 / 16, 3.0: 0.75, 0.001: 0}[weights and weights[1]]
    assert counts[1] / 20_000 == pytest.approx(expected, abs=0.01)


def test_a_position_is_found_at_once_and_in_any_process():
    mixture = Mixture([1000, 50], [1.0, 1.0], seed=2)
    far = [mixture.locate(10**9 + k) for k in range(10)]
    other = pickle.loads(pickle.dumps(Mixture([1000, 50], [1.0, 1.0], seed=2)))
    assert [other.locate(10**9 + k) for k in range(10)] == far


def test_the_seed_changes_the_order():
    orders = [tuple(draws(Mixture([20], None, seed), 20)) for seed in range(3)]
    assert len(set(orders)) == 3


@pytest.mark.parametrize("lengths", [[7], [1000, 50], [3, None, 11]])
def test_many_draws_are_located_as_single_ones(lengths):
    mixture = Mixture(lengths, [1.0, 2.0, 0.5][: len(lengths)], seed=2)
    several = np.array([*range(200), 4095, 4096, 10**9])
    sources, numbers = mixture.locate_all(several)
    assert list(zip(sources, numbers, strict=True)) == [
        mixture.locate(draw) for draw in several.tolist()
    ]
