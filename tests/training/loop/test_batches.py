import multiprocessing
import os
import signal
from itertools import chain
from types import SimpleNamespace

import pytest
import torch

from latelier.contracts.errors import InvalidConfigError
from latelier.training.loop.batches import group, load_batches
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


@pytest.mark.skipif(os.name == "nt", reason="other signals")
def test_data_workers_outlive_signals_that_stop_the_run():
    """A scheduler sends SIGTERM to all processes of a job."""
    plan = SimpleNamespace(dataset=range(40), objective=SimpleNamespace(collate=list))
    run = SimpleNamespace(
        config=SimpleNamespace(steps=10, workers=1),
        split=BatchSplit(4),
        fabric=SimpleNamespace(device=torch.device("cpu")),
    )
    batches = load_batches(plan, run, 0)
    assert next(batches) == [[0, 1, 2, 3]]
    for worker in multiprocessing.active_children():
        os.kill(worker.pid, signal.SIGTERM)
        os.kill(worker.pid, signal.SIGINT)
    assert list(batches)[-1] == [[36, 37, 38, 39]]
