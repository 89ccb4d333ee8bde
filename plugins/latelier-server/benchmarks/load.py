"""Load: many clients against a server on loopback, and the engine alone with the same requests.

    python benchmarks/load.py --clients 64 --seconds 300

Requests have mixed steps, samplers and sizes; every tenth is cancelled. Both sides have the same
settings and the same number of clients. Each is warmed, and then they take turns, so that other
work on the machine falls on both. Every job is accounted for: by its clients, and by the metrics of
the server. The memory of the server is sampled each second. The exit status is 1 if a job is lost
or fails.
"""

import argparse
import asyncio
import itertools
import re
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx2
import latelier
from latelier.contracts.errors import JobCancelledError, LatelierError
from latelier.engine import Engine

PORT = 7869
CANCEL_EVERY = 10
WARM_SECONDS = 10
SHARES = 8
"""Parts of the run whose memory is told."""


@dataclass
class Load:
    """What the clients of one side have seen.

    Attributes:
        seconds: that it took.
        submitted: requests that were sent.
        ends: how they ended -> number.
        latencies: seconds to each finished picture.
        memory: MiB that the server had, each second.
    """

    seconds: float = 0.0
    submitted: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    def add(self, other: "Load") -> None:
        """Add what the clients have seen in another turn."""
        self.seconds += other.seconds
        self.submitted += other.submitted
        self.ends += other.ends
        self.latencies += other.latencies
        self.memory += other.memory

    @property
    def rate(self) -> float:
        """Pictures in a second."""
        return len(self.latencies) / self.seconds

    @property
    def lost(self) -> int:
        """Requests without an end."""
        return self.submitted - self.ends.total()

    @property
    def failed(self) -> int:
        """Requests that ended as none should."""
        return self.ends.total() - self.ends["succeeded"] - self.ends["cancelled"]


class Requests:
    """The requests of a run, one after the other."""

    def __init__(self, size: tuple[int, int], multiple: int) -> None:
        width, height = size
        tall = width, (height * 3 // 2) // multiple * multiple
        self._shapes = [
            {"steps": 4, "sampler": "euler", "size": size},
            {"steps": 8, "sampler": "heun", "size": size},
            {"steps": 6, "sampler": "dpmpp_2m", "size": size},
            {"steps": 4, "sampler": "ddim", "size": tall},
        ]

    def get(self, number: int) -> dict:
        """Return a request."""
        shape = self._shapes[number % len(self._shapes)]
        return {"inputs": {"prompt": "a cat on a blue background"}, "seed": number, **shape}

    def is_cancelled(self, number: int) -> bool:
        """Return whether its client cancels it."""
        return number % CANCEL_EVERY == 0


async def drive_server(process: int, model: str, clients: int, seconds: float) -> Load:
    """Send requests to the server for some seconds."""
    load, numbers = Load(), itertools.count()
    limits = httpx2.Limits(max_connections=2 * clients)
    base = f"http://127.0.0.1:{PORT}"
    async with httpx2.AsyncClient(base_url=base, limits=limits, timeout=300) as session:
        requests = await read_requests(session, model)
        start = time.monotonic()

        async def work() -> None:
            while time.monotonic() < start + seconds:
                number, began = next(numbers), time.monotonic()
                end = await ask(session, requests, number)
                load.ends[end] += 1
                if end == "succeeded":
                    load.latencies.append(time.monotonic() - began)

        async def sample() -> None:
            while True:
                load.memory.append(resident_mib(process))
                await asyncio.sleep(1)

        sampling = asyncio.create_task(sample())
        await asyncio.gather(*(work() for _ in range(clients)))
        sampling.cancel()
        load.seconds = time.monotonic() - start
    load.submitted = next(numbers)
    return load


async def ask(session: httpx2.AsyncClient, requests: Requests, number: int) -> str:
    """Return how a request ended: the state of its job, or the status of a refusal."""
    answer = await session.post("/api/jobs", json=requests.get(number))
    if answer.status_code != 202:
        return f"status {answer.status_code}"
    path = f"/api/jobs/{answer.json()['id']}"
    if requests.is_cancelled(number):
        await session.delete(path)
    async with session.stream("GET", f"{path}/events") as stream:
        await stream.aread()
    job = (await session.get(path)).json()
    if job["state"] == "succeeded":
        picture = await session.get(job["pictures"][0]["url"])
        if picture.content[:4] != b"\x89PNG":
            return "no picture"
    return job["state"]


async def read_requests(session: httpx2.AsyncClient, name: str) -> Requests:
    """Return the requests for a model of the server, once it is ready."""
    while True:
        try:
            if (await session.get("/ready")).status_code == 200:
                break
        except httpx2.ConnectError:
            pass
        await asyncio.sleep(0.2)
    model = (await session.get(f"/api/models/{name}")).json()
    size = model["request"]["properties"]["size"]["default"]
    return Requests(tuple(size), model["size_multiple"])


def drive_engine(engine: Engine, requests: Requests, clients: int, seconds: float) -> Load:
    """Send requests to an engine for some seconds."""
    load, numbers, lock = Load(), itertools.count(), threading.Lock()
    start = time.monotonic()

    def work() -> None:
        while time.monotonic() < start + seconds:
            with lock:
                number = next(numbers)
            began = time.monotonic()
            job = engine.submit_json(requests.get(number))
            if requests.is_cancelled(number):
                job.cancel()
            try:
                [picture] = job.result()
                picture.to_bytes("png")
                end = "succeeded"
            except JobCancelledError:
                end = "cancelled"
            except LatelierError as error:
                end = type(error).__name__
            with lock:
                load.ends[end] += 1
                if end == "succeeded":
                    load.latencies.append(time.monotonic() - began)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    load.seconds = time.monotonic() - start
    load.submitted = next(numbers)
    return load


def resident_mib(process: int) -> float:
    """Return the memory of a process."""
    with open(f"/proc/{process}/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def count_jobs() -> Counter[str]:
    """Return the jobs that the server says have ended, by how they did."""
    text = httpx2.get(f"http://127.0.0.1:{PORT}/metrics").text
    found = re.findall(r'latelier_requests_total\{finished_reason="(\w+)"\} (\S+)', text)
    return Counter({reason: int(float(number)) for reason, number in found})


@contextmanager
def serve(command: Sequence[str], model: str, precision: str) -> Iterator[int]:
    """Give the id of the process of a server."""
    code = "import sys; from latelier.cli.main import main; main(sys.argv[1:])"
    options = ["--port", str(PORT), "--precision", precision, "--queue", "1000"]
    options += ["--log-level", "warning"]
    process = subprocess.Popen([sys.executable, "-c", code, *command, model, *options])
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def measure(
    asked: argparse.Namespace, command: Sequence[str]
) -> tuple[Load, Load, list[float], int]:
    """Return the loads of a server and of an engine alone.

    Returns:
        both loads, the ratio of their rates in each turn, and by how many jobs the server's own
        counts differ from those of its clients.
    """
    pipe = latelier.load(asked.model, dtype=asked.precision)
    requests = Requests(pipe.defaults.size, pipe.size_multiple)
    served, alone, ratios = Load(), Load(), []
    with (
        serve(command, asked.model, asked.precision) as process,
        Engine(pipe, queue=1000) as engine,
    ):
        engine.warm()

        def take_turn(seconds: float) -> tuple[Load, Load]:
            server = asyncio.run(drive_server(process, asked.model, asked.clients, seconds))
            return server, drive_engine(engine, requests, asked.clients, seconds)

        warming, _ = take_turn(WARM_SECONDS)
        for _ in range(asked.turns):
            server, bare = take_turn(asked.seconds / asked.turns)
            served.add(server)
            alone.add(bare)
            ratios.append(server.rate / bare.rate)
        expected, counted = warming.ends + served.ends, count_jobs()
    return served, alone, ratios, sum(((expected - counted) + (counted - expected)).values())


def show(name: str, load: Load) -> None:
    """Print throughput, latencies, and how all requests ended."""
    ordered = sorted(load.latencies)
    p99 = ordered[int(0.99 * (len(ordered) - 1))]
    times = f"p50 {statistics.median(ordered):.2f} s, p99 {p99:.2f} s"
    ends = ", ".join(f"{number} {end}" for end, number in load.ends.most_common())
    print(f"{name}: {load.rate:.1f} pictures/s, {times}; {ends}; {load.lost} lost")


def show_memory(memory: list[float]) -> None:
    """Print the memory over time, and how it grew in the second half."""
    parts = [
        memory[len(memory) * k // SHARES :][: max(1, len(memory) // SHARES)] for k in range(SHARES)
    ]
    medians = [statistics.median(part) for part in parts]
    third, last = (
        statistics.fmean(medians[k : k + SHARES // 4]) for k in (SHARES // 2, 3 * SHARES // 4)
    )
    told = " ".join(f"{each:.0f}" for each in medians)
    print(f"resident MiB, eighths of the run: {told}; last quarter / third: {last / third:.3f}")


def make_parser() -> argparse.ArgumentParser:
    """Return the options of a measurement."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="scenes")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60, help="of each side")
    parser.add_argument("--turns", type=int, default=6, help="that the seconds are divided into")
    parser.add_argument("--precision", default="float32")
    return parser


def compare(asked: argparse.Namespace, command: Sequence[str]) -> None:
    """Measure both sides, print what was found, and exit.

    Args:
        asked: by the options of `make_parser`.
        command: of latelier, which serves the model.
    """
    served, alone, ratios, differences = measure(asked, command)
    show("server", served)
    show_memory(served.memory)
    print(f"jobs that the metrics of the server count otherwise: {differences}")
    show("engine", alone)
    turns = " ".join(f"{each:.2f}" for each in ratios)
    print(f"server / engine: {statistics.median(ratios):.2f}, median of {turns}")
    sys.exit(any([served.lost, served.failed, alone.lost, alone.failed, differences]))


if __name__ == "__main__":
    compare(make_parser().parse_args(), ["serve"])
