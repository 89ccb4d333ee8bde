"""A thread that has released its team computes as before."""

import threading

import torch

from latelier.engine.openmp import release_team


def test_a_thread_computes_before_and_after_it_releases_its_team():
    results = []

    def compute():
        a = torch.ones(400, 400)
        results.append(a @ a)
        release_team()
        results.append(a @ a)
        release_team()
        release_team()

    thread = threading.Thread(target=compute)
    thread.start()
    thread.join()
    assert torch.equal(*results)
    assert results[0][0, 0] == 400
