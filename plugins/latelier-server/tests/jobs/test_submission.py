"""A job that a plugin ends, and what the store forgets."""

import asyncio
import gc
import weakref
from contextlib import AsyncExitStack
from types import SimpleNamespace

import pytest
import torch
from latelier.pipeline.picture import Preview
from PIL import Image

from latelier_server.errors import ServerError
from latelier_server.jobs import store
from latelier_server.jobs.job import FinishedPicture, ServerJob
from latelier_server.jobs.store import JobStore
from latelier_server.jobs.submission import JobRunner, Submission
from latelier_server.operations.metrics import Metrics
from latelier_server.settings import Settings


class RunThatExits:
    """A job of an engine whose sampler calls sys.exit."""

    position = None

    async def __aiter__(self):
        raise SystemExit(3)
        yield


def test_a_plugin_that_exits_ends_its_job_alone():
    runner = JobRunner(Settings(), SimpleNamespace(), None, Metrics())
    run = RunThatExits()
    job = ServerJob("ann", "model", run)
    asyncio.run(runner._follow(job, run, Submission(None, {}), AsyncExitStack()))
    assert (job.state, job.error.code) == ("failed", "internal_error")


def test_a_job_that_has_ended_holds_nothing_of_its_model():
    """Not even if a reader encodes its last preview meanwhile."""

    async def encode_while_it_ends():
        job = ServerJob("ann", "model", SimpleNamespace(position=None))
        preview = Preview(
            step=1,
            steps=2,
            sigma=1.0,
            latents=torch.zeros(1),
            decode=lambda _: [Image.new("RGB", (8, 8))],
        )
        job.advance(preview)
        encoding = asyncio.create_task(job.encode_preview())
        await asyncio.sleep(0)
        job.end([], None)
        assert await encoding
        return job, weakref.ref(preview)

    job, preview = asyncio.run(encode_while_it_ends())
    gc.collect()
    assert job.run is None
    assert preview() is None


def ended(owner="ann", size=10):
    job = ServerJob(owner, "model", SimpleNamespace(position=None))
    job.end([FinishedPicture(b"a" * size, 7, 1, 1)], None)
    return job


def test_the_oldest_ended_jobs_are_forgotten(monkeypatch):
    monkeypatch.setattr(store, "MAX_BYTES", 25)
    jobs, kept = [ended() for _ in range(4)], JobStore()
    running = ServerJob("ann", "model", SimpleNamespace(position=None))
    for job in (running, *jobs):
        kept.add(job)
    assert kept.of("ann") == [jobs[3], jobs[2], running]
    with pytest.raises(ServerError):
        kept.get(jobs[0].id, "ann")


def test_jobs_are_forgotten_after_an_hour(monkeypatch):
    kept, job = JobStore(), ended()
    job.ended -= store.MAX_AGE + 1
    kept.add(job)
    assert kept.of("ann") == []
