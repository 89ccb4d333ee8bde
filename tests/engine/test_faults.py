"""A fault ends one job with its error; the other jobs, and the engine, go on."""

import pytest

from latelier.contracts.errors import (
    EngineError,
    InvalidInputError,
    NotEnoughMemoryError,
    NotFiniteError,
    PluginError,
)
from latelier.engine import Engine

REQUESTS = [{"prompt": "a cat", "seed": seed, "steps": 4, "guidance": 1.0} for seed in range(5)]
BAD = {"prompt": "a cat", "seed": 9, "guidance": 1.0, "sampler": "plugin/sampler"}


class Fault(Exception):
    """The fault of a denoiser."""


def refuse_large(x):
    if x.abs().max() > 1e6:
        raise Fault("a value is too large")


@pytest.fixture
def pipe(pipe_with_plugin):
    """A pipeline whose 'plugin/sampler' calls the denoiser with large values at its third step."""
    return pipe_with_plugin("""
        from itertools import pairwise
        from latelier import Step

        def sampler(denoise, x, grid, /):
            for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
                denoised = denoise(x * 1e9 if index == 2 else x, sigma)
                x = denoised + (x - denoised) * (to / sigma)
                yield Step(index, to, x, denoised)
    """)


def test_the_fault_of_one_row_does_not_reach_the_other_runs_of_its_call(
    pipe, tamper, gate, eventually, difference
):
    alone = [pipe.generate(**request) for request in REQUESTS]

    def before(x):
        gate(x)
        refuse_large(x)

    tampered, denoiser = tamper(before, pipe)
    with Engine(tampered) as engine:
        jobs = [engine.submit(**request) for request in REQUESTS]
        bad = engine.submit(**BAD)
        gate.wait()
        eventually(lambda: engine.stats().jobs.running == 6)
        gate.open()
        for job, expected in zip(jobs, alone, strict=True):
            assert difference(job.result(), expected) <= 1
        with pytest.raises(Fault, match="too large"):
            bad.result()
        assert engine.submit(**REQUESTS[0]).result()
        counts = engine.stats().jobs
    assert max(denoiser.rows) > 1
    assert (counts.succeeded, counts.failed) == (6, 1)


@pytest.mark.parametrize("exact", [False, True])
def test_memory_that_is_too_small_for_many_rows_is_enough_for_few(
    tamper, gate, eventually, difference, tiny, exact
):
    """Rows are halved until they fit. Fixed rows stay, so a job fails then."""
    alone = [tiny.generate(**request) for request in REQUESTS]

    def before(x):
        gate(x)
        if len(x) > 2:
            raise MemoryError

    pipe, denoiser = tamper(before)
    with Engine(pipe, rows=8, exact=exact) as engine:
        jobs = [engine.submit(**request) for request in REQUESTS]
        gate.wait()
        eventually(lambda: engine.stats().jobs.running == 5)
        gate.open()
        for job, expected in zip(jobs, alone, strict=True):
            if exact:
                with pytest.raises(MemoryError):
                    job.result()
            else:
                assert difference(job.result(), expected) <= 1
        most = engine.stats().most_rows
    assert most in ({8} if exact else {1, 2})
    assert max(denoiser.rows) > 2


def test_a_run_with_too_many_rows_of_its_own_is_divided_too(tamper, difference, tiny):
    request = {"prompt": "a cat", "negative": "a dog", "seed": 1, "n": 3}
    alone = tiny.generate(**request)

    def before(x):
        if len(x) > 1:
            raise MemoryError

    pipe, denoiser = tamper(before)
    with Engine(pipe) as engine:
        assert difference(engine.submit(**request).result(), alone) <= 1
    assert denoiser.rows.count(1) == 3 * 6


def test_memory_that_is_short_once_fails_nobody(tamper):
    attempts = []

    def before(_x):
        attempts.append(0)
        if len(attempts) == 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")

    pipe, _ = tamper(before)
    with Engine(pipe) as engine:
        assert len(engine.submit(**REQUESTS[0]).result()) == 1
        assert engine.stats().most_rows == 32


def test_memory_that_is_too_small_for_one_row_ends_the_job(tamper):
    def before(_x):
        raise MemoryError

    pipe, _ = tamper(before)
    with Engine(pipe) as engine, pytest.raises(NotEnoughMemoryError) as found:
        engine.submit(**REQUESTS[0]).result()
    assert "`rows`" not in str(found.value)
    exact = Engine(pipe, exact=True)
    with exact as engine, pytest.raises(NotEnoughMemoryError, match="with fewer `rows`"):
        engine.submit(**REQUESTS[0]).result()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("raise ValueError('no')", ValueError),
        ("raise SystemExit(3)", PluginError),
        ("raise KeyboardInterrupt", KeyboardInterrupt),
        ("yield from ()", PluginError),
        ("yield Step(0, grid.sigmas[1], x * float('nan'), x)", NotFiniteError),
    ],
)
def test_a_sampler_that_fails_between_calls_ends_its_job_alone(
    pipe_with_plugin, difference, code, error
):
    pipe = pipe_with_plugin(f"""
        from latelier import Step

        def sampler(denoise, x, grid, /):
            denoise(x, grid.sigmas[0])
            {code}
            yield
    """)
    alone = [pipe.generate(**request) for request in REQUESTS]
    with Engine(pipe) as engine:
        bad = [engine.submit(**BAD) for _ in range(3)]
        jobs = [engine.submit(**request) for request in REQUESTS]
        for job in bad:
            with pytest.raises(error):
                job.result(timeout=20)
        for job, expected in zip(jobs, alone, strict=True):
            assert difference(job.result(timeout=20), expected) <= 1


def test_a_denoiser_that_exits_ends_the_job_and_not_the_device(tamper):
    def before(_x):
        raise SystemExit(3)

    pipe, denoiser = tamper(before)
    with Engine(pipe) as engine:
        with pytest.raises(PluginError, match="SystemExit"):
            engine.submit(**REQUESTS[0]).result()
        denoiser.before = lambda _x: None
        assert engine.submit(**REQUESTS[0]).result()


def test_guidance_that_does_not_fit_ends_the_job(tiny):
    request = {**REQUESTS[0], "guidance": {"name": "per_condition", "scales": {"nothing": 2.0}}}
    with Engine(tiny) as engine, pytest.raises(InvalidInputError, match="'nothing'"):
        engine.submit(**request).result()


def test_no_job_waits_for_a_device_thread_that_died(tamper, gate, eventually, monkeypatch, caplog):
    def die(group):
        raise Fault("the device is gone")

    pipe, _ = tamper(gate)
    with Engine(pipe, active=2) as engine:
        jobs = [engine.submit(**request) for request in REQUESTS]
        gate.wait()
        monkeypatch.setattr("latelier.engine.device.evaluate", die)
        gate.open()
        for job in jobs:
            with pytest.raises((Fault, EngineError), match="gone"):
                job.result(timeout=20)
        late = engine.submit(**REQUESTS[0])
        with pytest.raises(EngineError, match="the engine has stopped: Fault"):
            late.result(timeout=20)
    assert "the engine has stopped" in caplog.text
