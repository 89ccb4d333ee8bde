"""The engine under load: 64 clients, 1,000 requests, of which some are cancelled and some fail.

Requests arrive at four fifths of the rate that the engine can serve: independently of each other
(Poisson), or those of all clients at once (bursts). A latency counts from the arrival.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from statistics import median, quantiles
from threading import Event, Thread
from typing import Any

from torch import Tensor

from benchmarks.cases.engine import PROMPTS, SAMPLERS, run_in, start_engine
from benchmarks.harness.case import Case, Sample, Setup, Variant
from benchmarks.harness.goal import Goal, value
from benchmarks.harness.memory import read_status
from latelier.contracts.sampling import Denoise, Step
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.kernel.default import default_atelier
from latelier.kernel.hookspecs import hookimpl
from latelier.kernel.registrar import Registrar
from latelier.pipeline import load

CLIENTS, REQUESTS, QUICK_REQUESTS, STEPS = 64, 1000, 128, 6
CANCELLED_ONE_IN, FAILING_ONE_IN = 20, 50
SHARE_OF_CAPACITY = 0.8
PATTERNS = ("Poisson", "bursts")


@dataclass(frozen=True)
class LoadResult:
    """What a load did.

    Attributes:
        latencies: seconds of each request that was served.
        unaccounted: requests that ended in another way than they should.
        growth: of anonymous memory over the second half, in MiB.
    """

    latencies: list[float]
    unaccounted: int
    growth: float


MEASURES: Mapping[str, tuple[str, Callable[[LoadResult], float]]] = {
    "p50": ("s", lambda result: median(result.latencies)),
    "p99": ("s", lambda result: quantiles(result.latencies, n=100)[98]),
    "unaccounted requests": ("", lambda result: result.unaccounted),
    "memory growth": ("MiB", lambda result: result.growth),
}
"""Name -> unit, and how it is read off a load."""


class FailingSampler:
    """Registers the sampler `failing`."""

    @hookimpl
    def latelier_register(self, registrar: Registrar) -> None:
        """Register it."""
        registrar.sampler("failing", factory="benchmarks.cases.engine_load:fail", order=1)


def fail(denoise: Denoise, x: Tensor, sigmas: SigmaGrid, /) -> Iterator[Step]:
    """Yield one step, and raise an error."""
    x0 = denoise(x, sigmas[0])
    yield Step(0, sigmas[1], x0 + (x - x0) * (sigmas[1] / sigmas[0]), x0)
    raise RuntimeError("this request was to fail")


def variants(setup: Setup, /) -> Mapping[str, Variant]:
    """Return the measures of both patterns of arrivals."""
    atelier = default_atelier()
    atelier.register(FailingSampler(), "benchmarks", "1.0")
    engine = start_engine(load("emoji-scenes", "cpu", atelier=atelier), setup)
    requests = QUICK_REQUESTS if setup.is_quick else REQUESTS

    @cache
    def run(pattern: str) -> LoadResult:
        return run_load(engine, arrive(pattern, requests, measure_rate(engine)))

    def take(pattern: str, measure: Callable[[LoadResult], float]) -> Sample:
        return Sample(float(measure(run(pattern))))

    return {
        f"{name}, {pattern}": Variant(partial(take, pattern, measure), unit)
        for pattern in PATTERNS
        for name, (unit, measure) in MEASURES.items()
    }


def measure_rate(engine: Any) -> float:
    """Return the requests a second that the engine serves when all are there at once."""
    requests = [make_request(k) for k in range(CLIENTS)]
    start = time.perf_counter()
    run_in(engine, requests)
    return CLIENTS / (time.perf_counter() - start)


def make_request(k: int) -> dict[str, Any]:
    """Return the keywords of a request."""
    return {
        "prompt": PROMPTS[k % len(PROMPTS)],
        "seed": k,
        "steps": STEPS,
        "sampler": SAMPLERS[k % len(SAMPLERS)],
    }


def arrive(pattern: str, requests: int, capacity: float) -> list[float]:
    """Return the seconds at which requests arrive."""
    rate, randomness = SHARE_OF_CAPACITY * capacity, random.Random(0)
    if pattern == "bursts":
        return [k // CLIENTS * CLIENTS / rate for k in range(requests)]
    arrivals, now = [], 0.0
    for _ in range(requests):
        now += randomness.expovariate(rate)
        arrivals.append(now)
    return arrivals


def run_load(engine: Any, arrivals: list[float]) -> LoadResult:
    """Submit every request when it arrives; client k has every 64th of them, from the k-th."""
    start, ended, memory = time.perf_counter(), Counter[bool](), list[float]()
    latencies: list[float] = []

    def serve(client: int) -> None:
        for k in range(client, len(arrivals), CLIENTS):
            time.sleep(max(0.0, start + arrivals[k] - time.perf_counter()))
            outcome = request_one(engine, k, f"client {client}")
            ended[outcome in expected_outcomes(k)] += 1
            if outcome == "served":
                latencies.append(time.perf_counter() - start - arrivals[k])

    done = Event()
    observer = Thread(target=partial(sample_memory, done, memory))
    observer.start()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(serve, range(CLIENTS)))
    done.set()
    observer.join()
    return LoadResult(latencies, len(arrivals) - ended[True], measure_growth(memory))


def request_one(engine: Any, k: int, client: str) -> str:
    """Return how a request ends: served, cancelled or failed."""
    from latelier.contracts.errors import JobCancelledError

    sampler = {"sampler": "failing"} if is_failing(k) else {}
    try:
        job = engine.submit(**{**make_request(k), **sampler}, client=client)
        if is_cancelled(k):
            time.sleep(0.02)
            job.cancel()
        job.result()
    except JobCancelledError:
        return "cancelled"
    except Exception:
        return "failed"
    return "served"


def is_cancelled(k: int) -> bool:
    return k % CANCELLED_ONE_IN == 7


def is_failing(k: int) -> bool:
    return k % FAILING_ONE_IN == 3


def expected_outcomes(k: int) -> set[str]:
    """Return how a request may end; one may be served before it is cancelled."""
    if is_failing(k):
        return {"failed"}
    return {"cancelled", "served"} if is_cancelled(k) else {"served"}


def sample_memory(done: Event, memory: list[float]) -> None:
    """Append the anonymous memory, in MiB, again and again."""
    while not done.wait(0.05):
        memory.append(read_status("RssAnon"))


def measure_growth(memory: list[float]) -> float:
    """Return what the memory grows over the second half: its last part against its first."""
    half = memory[len(memory) // 2 :]
    part = max(1, len(half) // 4)
    return median(half[-part:]) - median(half[:part])


ENGINE_LOAD = Case(
    "engine-load",
    f"Engine under load, {CLIENTS} clients, {REQUESTS:,} requests",
    variants,
    tuple(
        goal
        for pattern in PATTERNS
        for goal in (
            Goal(
                f"unaccounted requests, {pattern}",
                value(f"unaccounted requests, {pattern}"),
                at_most=0,
                unit="",
            ),
            Goal(
                f"memory growth in the second half, {pattern}",
                value(f"memory growth, {pattern}"),
                at_most=20,
                unit="MiB",
            ),
        )
    ),
    rounds=1,
    warmups=0,
)
