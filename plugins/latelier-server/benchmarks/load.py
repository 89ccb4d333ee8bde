"""Load: many clients against a server on loopback, and the engine alone with the same requests.

    python benchmarks/load.py --clients 64 --seconds 25

Requests have mixed steps, samplers and sizes; every tenth is cancelled. Both sides have the same
settings and the same number of clients, one after the other.
"""

import argparse
import asyncio
import itertools
import resource
import statistics
import subprocess
import sys
import threading
import time

import httpx2
import latelier
from latelier.contracts.errors import JobCancelledError
from latelier.engine import Engine

PORT = 7869
SHAPES = [
    {"steps": 4, "sampler": "euler", "size": [64, 64]},
    {"steps": 8, "sampler": "heun", "size": [64, 64]},
    {"steps": 6, "sampler": "dpmpp_2m", "size": [64, 64]},
    {"steps": 4, "sampler": "ddim", "size": [64, 96]},
]
CANCEL_EVERY = 10


def request_of(number: int) -> dict:
    shape = SHAPES[number % len(SHAPES)]
    return {"inputs": {"prompt": "a cat on a blue background"}, "seed": number, **shape}


async def drive_server(clients: int, seconds: float) -> dict:
    numbers, latencies, ends = itertools.count(), [], {}
    until = time.monotonic() + seconds

    async def one(session: httpx2.AsyncClient) -> None:
        while time.monotonic() < until:
            number, start = next(numbers), time.monotonic()
            answer = await session.post("/api/jobs", json=request_of(number))
            assert answer.status_code == 202, answer.text
            job = answer.json()
            if number % CANCEL_EVERY == 0:
                await session.delete(f"/api/jobs/{job['id']}")
            async with session.stream("GET", f"/api/jobs/{job['id']}/events") as stream:
                await stream.aread()
            state = (await session.get(f"/api/jobs/{job['id']}")).json()
            ends[state["state"]] = ends.get(state["state"], 0) + 1
            if state["state"] == "succeeded":
                picture = await session.get(state["pictures"][0]["url"])
                assert picture.content[:4] == b"\x89PNG"
                latencies.append(time.monotonic() - start)

    limits = httpx2.Limits(max_connections=2 * clients)
    base = f"http://127.0.0.1:{PORT}"
    async with httpx2.AsyncClient(base_url=base, limits=limits, timeout=120) as session:
        while True:
            try:
                if (await session.get("/ready")).status_code == 200:
                    break
            except httpx2.ConnectError:
                pass
            await asyncio.sleep(0.2)
        start = time.monotonic()
        until = start + seconds
        await asyncio.gather(*(one(session) for _ in range(clients)))
        spent = time.monotonic() - start
    return {"seconds": spent, "submitted": next(numbers), "ends": ends, "latencies": latencies}


def drive_engine(clients: int, seconds: float, dtype: str) -> dict:
    numbers, latencies, ends, lock = itertools.count(), [], {}, threading.Lock()
    pipe = latelier.load("emoji-scenes", dtype=dtype)
    with Engine(pipe, active=32, queue=1000) as engine:
        engine.warm()
        until = time.monotonic() + seconds
        start = time.monotonic()

        def one() -> None:
            while time.monotonic() < until:
                with lock:
                    number = next(numbers)
                began = time.monotonic()
                job = engine.submit_json(request_of(number))
                if number % CANCEL_EVERY == 0:
                    job.cancel()
                try:
                    [picture] = job.result()
                    picture.to_bytes("png")
                    latencies.append(time.monotonic() - began)
                    end = "succeeded"
                except JobCancelledError:
                    end = "cancelled"
                with lock:
                    ends[end] = ends.get(end, 0) + 1

        threads = [threading.Thread(target=one) for _ in range(clients)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        spent = time.monotonic() - start
    return {"seconds": spent, "submitted": next(numbers), "ends": ends, "latencies": latencies}


def resident_mib(process: int) -> float:
    with open(f"/proc/{process}/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def show(name: str, found: dict) -> float:
    ordered = sorted(found["latencies"])
    rate = len(ordered) / found["seconds"]
    lost = found["submitted"] - sum(found["ends"].values())
    p99 = ordered[int(0.99 * (len(ordered) - 1))]
    half = statistics.median(ordered)
    times = f"p50 {half:.2f} s, p99 {p99:.2f} s"
    print(f"{name}: {rate:.1f} pictures/s, {times}, {found['ends']}, lost {lost}")
    return rate


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=25)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--rounds", type=int, default=1)
    asked = parser.parse_args()
    code = "import typer; from latelier_server.command import serve; typer.run(serve)"
    options = ["--port", str(PORT), "--precision", asked.precision, "--queue", "1000"]
    options += ["--log-level", "warning"]
    for _ in range(asked.rounds):
        server = subprocess.Popen([sys.executable, "-c", code, "emoji-scenes", *options])
        try:
            half = asyncio.run(drive_server(asked.clients, asked.seconds / 2))
            memory = [resident_mib(server.pid)]
            served = asyncio.run(drive_server(asked.clients, asked.seconds))
            memory.append(resident_mib(server.pid))
        finally:
            server.terminate()
            server.wait()
        show("server, the first half", half)
        rate = show("server", served)
        alone = show("engine", drive_engine(asked.clients, asked.seconds, asked.precision))
        print(f"ratio {rate / alone:.2f}; resident {memory[0]:.0f} and then {memory[1]:.0f} MiB")


if __name__ == "__main__":
    main()
