"""Batches whose processes are killed at random moments: every id once, and the same pixels.

    python plugins/latelier-ray/benchmarks/fault_table.py --runs 10 --rows 200

Prints a table in Markdown. Each run kills a worker, the command, or all processes of one of two
nodes of a cluster on this machine; a killed command is started again.
"""

import argparse
import json
import os
import random
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from checking import hash_pixels, list_workers, read_shards

KINDS = ("worker", "command", "node")
PROMPTS = ("a cat", "a dog", "a red apple on a blue background")


@dataclass(frozen=True)
class Cluster:
    """A cluster of two nodes on this machine.

    Attributes:
        address: of its head.
        node: the process of the other one.
    """

    address: str
    node: subprocess.Popen[bytes]


@dataclass(frozen=True)
class Job:
    """A batch.

    Attributes:
        folder: of the table and the output.
        options: of the command besides those of the cluster.
    """

    folder: Path
    options: tuple[str, ...]

    @property
    def out(self) -> Path:
        """Its output."""
        return self.folder / "out"

    def start(self, *cluster: str) -> subprocess.Popen[bytes]:
        """Start the command."""
        command = [sys.executable, "-m", "latelier", "batch", "rows.jsonl", "out", *self.options]
        return subprocess.Popen([*command, *cluster], cwd=self.folder, env=ENVIRONMENT)

    def count(self) -> int:
        """Return the number of shards."""
        return len(list((self.out / "shards").glob("0*")))


ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
    "RAY_USAGE_STATS_ENABLED": "0",
}


def main() -> None:
    """Run the batches and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--shard", type=int, default=8)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    options = ("--model", "emoji-scenes", "--device", "cpu", "--rows", "8")
    options += ("--shard", str(given.shard), "--set", f"steps={given.steps}")
    dice = random.Random(given.seed)
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        expected = draw_expected(Path(folder, "expected"), options, given.rows)
        print("| run | killed | at | ids | once | same pixels | commands | seconds |")
        print("|---:|---|---:|---:|---|---|---:|---:|", flush=True)
        for number in range(given.runs):
            job = prepare(Path(folder, f"run{number}"), options, given.rows)
            kind = KINDS[number % len(KINDS)]
            moment = dice.randrange(given.rows // given.shard)
            start = time.monotonic()
            commands = run_with_fault(job, kind, moment, dice)
            seconds = time.monotonic() - start
            found = read_shards(job.out)
            once = sorted(name for name, _ in found) == sorted(expected)
            same = hash_pixels(found) == expected
            at = f"{moment * given.shard} pictures"
            print(
                f"| {number + 1} | {kind} | {at} | {len(found)} | {_say(once)} | {_say(same)} "
                f"| {commands} | {seconds:.0f} |",
                flush=True,
            )


def draw_expected(folder: Path, options: tuple[str, ...], rows: int) -> dict[str, str]:
    """Return the hash of each picture of a batch without a fault, by one worker."""
    job = prepare(folder, options, rows)
    check(job.start("--workers", "1"))
    return hash_pixels(read_shards(job.out))


def prepare(folder: Path, options: tuple[str, ...], rows: int) -> Job:
    """Write the table of a batch."""
    folder.mkdir()
    lines = ({"id": f"r{k}", "prompt": PROMPTS[k % len(PROMPTS)], "seed": k} for k in range(rows))
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in lines))
    return Job(folder, options)


def run_with_fault(job: Job, kind: str, moment: int, dice: random.Random) -> int:
    """Run a batch to its end, and kill something once it has some shards.

    Returns:
        how often the command was started.
    """
    if kind == "node":
        with start_cluster() as cluster:
            driver = job.start("--workers", "2", "--cluster", cluster.address)
            wait_for(job, driver, moment)
            kill_family(cluster.node)
            check(driver)
        return 1
    driver = job.start("--workers", "2")
    wait_for(job, driver, moment)
    time.sleep(dice.random())
    if kind == "worker":
        dice.choice(list_workers(driver)).kill()
        check(driver)
        return 1
    driver.kill()
    driver.wait()
    check(job.start("--workers", "2"))
    return 2


@contextmanager
def start_cluster() -> Iterator[Cluster]:
    """Start two nodes, and end their processes, by their numbers."""
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    head = start_node("--head", f"--port={port}", "--num-cpus=1", "--include-dashboard=false")
    try:
        time.sleep(20)
        node = start_node(f"--address={address}", "--num-cpus=1")
        try:
            time.sleep(20)
            yield Cluster(address, node)
        finally:
            kill_family(node)
    finally:
        kill_family(head)


def start_node(*options: str) -> subprocess.Popen[bytes]:
    """Start a node of Ray."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *options]
    memory = "--object-store-memory=100000000"
    return subprocess.Popen(
        [*command, memory], env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def kill_family(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all that it has started."""
    if process.poll() is None:
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        for each in family:
            try:
                each.kill()
            except psutil.NoSuchProcess:
                continue
    process.wait()


def wait_for(job: Job, driver: subprocess.Popen[bytes], shards: int) -> None:
    """Wait until a batch has more than some shards, or its workers draw."""
    while driver.poll() is None and job.count() <= shards:
        time.sleep(0.02)


def check(driver: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a command, which succeeds."""
    if driver.wait() != 0:
        raise SystemExit(f"the command ended with status {driver.returncode}")


def _say(holds: bool) -> str:
    return "yes" if holds else "**no**"


if __name__ == "__main__":
    main()
