"""Jobs: results, previews, cancelling and deadlines, in threads and in event loops."""

import asyncio
import threading

import pytest

from latelier.contracts.errors import DeadlineError, JobCancelledError
from latelier.engine import Engine

REQUEST = {"prompt": "a cat", "seed": 1, "steps": 4}
LONG = {"prompt": "a cat", "seed": 2, "steps": 1000}


def test_the_last_preview_of_each_batch_has_its_pictures(tiny):
    with Engine(tiny) as engine:
        job = engine.submit(**REQUEST, n=3, batch_size=2)
        previews = list(job)
    assert [each.batch for each in previews if each.pictures] == [1, 2]
    assert [each.seed for each in job.result()] == [1, 2, 3]
    steps = [(each.batch, each.step) for each in previews]
    assert steps == sorted(set(steps))
    assert [picture for each in job for picture in each.pictures] == job.result()


def test_a_reader_that_keeps_up_sees_every_step(tamper):
    """The run waits in the call after each step until the reader has its preview."""
    turn = threading.Semaphore(1)
    pipe, _ = tamper(lambda _x: turn.acquire())
    with Engine(pipe) as engine:
        steps = []
        for preview in engine.submit(**REQUEST):
            turn.release()
            steps.append((preview.step, preview.image.size))
    assert steps == [(k, (16, 16)) for k in (1, 2, 3, 4)]


def test_previews_that_nobody_reads_are_dropped(tiny):
    with Engine(tiny) as engine:
        job = engine.submit(prompt="a cat", steps=50)
        job.result()
        assert [each.step for each in job] == [50]


def test_result_times_out_and_the_job_goes_on(tamper, gate):
    pipe, _ = tamper(gate)
    with Engine(pipe) as engine:
        job = engine.submit(**REQUEST)
        with pytest.raises(TimeoutError):
            job.result(timeout=0.01)
        assert not job.is_done
        gate.open()
        assert len(job.result()) == 1


def test_a_running_job_stops_at_its_next_call(tamper, gate):
    pipe, denoiser = tamper(gate)
    with Engine(pipe) as engine:
        job = engine.submit(**LONG)
        gate.wait()
        job.cancel()
        gate.open()
        with pytest.raises(JobCancelledError, match="cancelled"):
            job.result()
        with pytest.raises(JobCancelledError):
            list(job)
        assert engine.stats().jobs.cancelled == 1
    assert len(denoiser.rows) == 1


def test_a_job_with_many_windows_stops_between_them(tamper, gate):
    pipe, denoiser = tamper(gate)
    with Engine(pipe) as engine:
        job = engine.submit(**REQUEST, size=(64, 64), window=16, window_batch=1)
        gate.wait()
        job.cancel()
        gate.open()
        with pytest.raises(JobCancelledError):
            job.result()
    assert len(denoiser.rows) == 1


def test_a_waiting_job_is_cancelled_at_once(tamper, gate):
    pipe, _ = tamper(gate)
    with Engine(pipe, active=1) as engine:
        first, second, third = (engine.submit(**REQUEST) for _ in range(3))
        gate.wait()
        assert [job.position for job in (first, second, third)] == [None, 0, 1]
        second.cancel()
        with pytest.raises(JobCancelledError):
            second.result(timeout=0)
        assert [job.position for job in (first, second, third)] == [None, None, 0]
        gate.open()
        assert first.result()
        assert third.result()


def test_cancelling_a_job_that_has_ended_changes_nothing(tiny):
    with Engine(tiny) as engine:
        job = engine.submit(**REQUEST)
        pictures = job.result()
        job.cancel()
        assert job.result() is pictures


def test_a_running_job_ends_at_its_deadline(tiny):
    with Engine(tiny) as engine:
        job = engine.submit(**LONG, deadline=0.05)
        with pytest.raises(DeadlineError, match=r"not finished within 0\.05 seconds"):
            job.result()
        assert engine.stats().jobs.expired == 1


def test_a_waiting_job_ends_at_its_deadline_though_another_runs_on(tiny):
    with Engine(tiny, active=1) as engine:
        running = engine.submit(**LONG)
        waiting = engine.submit(**REQUEST, deadline=0.01)
        with pytest.raises(DeadlineError):
            waiting.result(timeout=20)
        assert not running.is_done
        running.cancel()


def test_a_deadline_that_is_met_changes_nothing(tiny):
    with Engine(tiny) as engine:
        assert engine.submit(**REQUEST, deadline=60).result()


def test_jobs_can_be_awaited(tiny, difference):
    alone = tiny.generate(**REQUEST)

    async def use(engine):
        jobs = [engine.submit(**REQUEST) for _ in range(8)]
        return await asyncio.gather(*jobs)

    with Engine(tiny) as engine:
        for pictures in asyncio.run(use(engine)):
            assert difference(pictures, alone) <= 1


def test_previews_can_be_iterated_in_an_event_loop(tiny):
    async def follow(job):
        return [(each.step, bool(each.pictures)) async for each in job]

    async def use(engine):
        jobs = [engine.submit(**REQUEST) for _ in range(4)]
        return await asyncio.gather(*(follow(job) for job in [*jobs, jobs[0]]))

    with Engine(tiny) as engine:
        for steps in asyncio.run(use(engine)):
            assert steps[-1] == (4, True)
            assert steps == sorted(set(steps))


def test_errors_reach_an_event_loop(tiny):
    async def use(engine):
        job = engine.submit(**LONG)
        async for preview in job:
            assert preview.step
            job.cancel()

    async def fail(engine):
        job = engine.submit(**LONG)
        job.cancel()
        await job

    with Engine(tiny) as engine:
        for each in (use, fail):
            with pytest.raises(JobCancelledError):
                asyncio.run(each(engine))


def test_a_task_that_stops_waiting_does_not_cancel_the_job(tamper, gate):
    async def use(job):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(job, 0.01)
        async for _ in job:  # the loop ends while its reader is registered
            return

    pipe, _ = tamper(gate)
    with Engine(pipe) as engine:
        job = engine.submit(**REQUEST)
        threading.Timer(0.1, gate.open).start()
        asyncio.run(use(job))
        assert len(job.result()) == 1
