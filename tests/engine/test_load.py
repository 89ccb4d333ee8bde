"""Many clients at once: every job is accounted for, and nothing is left behind."""

import gc
import random
import weakref
from concurrent.futures import ThreadPoolExecutor

from latelier.contracts.errors import JobCancelledError
from latelier.engine import Engine

CLIENTS, JOBS = 64, 3
SAMPLER = """
    from itertools import pairwise
    from latelier import Step

    def sampler(denoise, x, grid, /):
        for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
            denoised = denoise(x, sigma)
            if index == 1:
                raise ArithmeticError("the sampler fails")
            x = denoised + (x - denoised) * (to / sigma)
            yield Step(index, to, x, denoised)
"""


def test_every_job_of_64_clients_is_accounted_for(pipe_with_plugin):
    """5 % are cancelled and 2 % fail."""
    pipe = pipe_with_plugin(SAMPLER)

    def use(client):
        rng, ends = random.Random(client), []
        for k in range(JOBS):
            number = client * JOBS + k
            sampler = "plugin/sampler" if number % 50 == 0 else rng.choice(["euler", "heun"])
            job = engine.submit(
                prompt="a cat",
                seed=number,
                steps=rng.randint(2, 4),
                sampler=sampler,
                guidance=rng.choice([1.0, 3.0]),
                client=str(client),
            )
            if number % 20 == 1:
                job.cancel()
            try:
                ends.append("succeeded" if job.result(timeout=60) else "lost")
            except JobCancelledError:
                ends.append("cancelled")
            except ArithmeticError:
                ends.append("failed")
        return ends

    with Engine(pipe, active=16) as engine, ThreadPoolExecutor(CLIENTS) as pool:
        ends = [end for each in pool.map(use, range(CLIENTS)) for end in each]
        counts = engine.stats().jobs
    assert len(ends) == counts.submitted == CLIENTS * JOBS
    for end in ("succeeded", "failed", "cancelled"):
        assert ends.count(end) == getattr(counts, end)
    assert counts.failed == 4
    assert counts.cancelled + counts.succeeded == CLIENTS * JOBS - 4
    assert (counts.queued, counts.running, counts.expired, counts.refused) == (0, 0, 0, 0)


def test_a_job_that_nobody_holds_is_freed(tiny, eventually):
    with Engine(tiny) as engine:
        held = [
            weakref.ref(engine.submit(prompt="a cat", steps=2)),
            weakref.ref(engine.submit(prompt="a cat", steps=1000, deadline=0.01)),
        ]
        eventually(lambda: engine.stats().jobs.running == 0)
        engine.submit(prompt="a cat", steps=1).result()
        job = engine.submit(prompt="a cat", steps=2)
        preview = list(job)[-1]
        assert preview.decode(preview.latents)  # after its run
        held.append(weakref.ref(job))
        del job, preview
        gc.collect()
        assert [each() for each in held] == [None] * 3
