from itertools import chain

import pytest

from latelier.contracts.errors import InvalidConfigError
from latelier.training.loop.batches import group
from latelier.training.loop.split import BatchSplit


@pytest.mark.parametrize(("ranks", "accumulate"), [(1, 1), (1, 3), (2, 1), (2, 3), (4, 3)])
def test_the_rows_of_a_step_are_split_without_overlap(ranks, accumulate):
    batches = [
        micro_batch
        for rank in range(ranks)
        for micro_batch in BatchSplit(24, accumulate, ranks, rank).select_positions(5)
    ]
    assert len(batches) == ranks * accumulate
    assert {len(batch) for batch in batches} == {24 // (ranks * accumulate)}
    assert sorted(chain(*batches)) == list(range(5 * 24, 6 * 24))


def test_a_batch_that_cannot_be_split_evenly_is_an_error():
    with pytest.raises(InvalidConfigError, match=r"batch_size: 10 cannot .* a multiple of 4"):
        BatchSplit(10, accumulate=2, ranks=2)


def test_micro_batches_are_grouped_by_step():
    assert list(group("abcdef", 2)) == [["a", "b"], ["c", "d"], ["e", "f"]]
