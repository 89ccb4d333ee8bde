"""Pictures per second of one and two workers, against a bare loop over the engine.

    python plugins/latelier-ray/benchmarks/throughput.py --rows 512

Each has one thread of torch. Rates are those between the first and the last shard: start-up is not
counted, and shown apart. Prints a table in Markdown.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

PROMPTS = ("a cat", "a dog", "a red apple on a blue background")


@dataclass(frozen=True)
class Rate:
    """How fast pictures came.

    Attributes:
        per_second: pictures, once the first were there.
        start: seconds until then.
    """

    per_second: float
    start: float


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=512, help="of the table")
    parser.add_argument("--call", type=int, default=16, help="rows of a call of the denoiser")
    parser.add_argument("--shard", type=int, default=32)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.bare:
        print(json.dumps(vars(draw_bare(given))))
        return
    command = [sys.executable, __file__, "--bare", *sys.argv[1:]]
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=True)
    bare = Rate(**json.loads(done.stdout.splitlines()[-1]))
    one, two = draw_batch(given, 1), draw_batch(given, 2)
    print("| | pictures/s | start, s | |")
    print("|---|---:|---:|---|")
    print(f"| bare loop over the engine | {bare.per_second:.2f} | {bare.start:.0f} | |")
    overhead = 1 - one.per_second / bare.per_second
    print(f"| 1 worker | {one.per_second:.2f} | {one.start:.0f} | overhead {overhead:.1%} |")
    factor = two.per_second / one.per_second
    print(f"| 2 workers | {two.per_second:.2f} | {two.start:.0f} | {factor:.2f} times one |")


def draw_bare(given: argparse.Namespace) -> Rate:
    """Draw the pictures in this process, as a worker does but for the files."""
    import latelier
    import torch
    from latelier.engine import Engine

    torch.set_num_threads(1)
    begin = time.monotonic()
    pipe = latelier.load("emoji-scenes", "cpu", "float32")
    times, waiting = [], deque()
    with Engine(pipe, rows=given.call, active=given.call, exact=True) as engine:
        engine.warm()
        for k in range(given.rows):
            request = {"inputs": {"prompt": PROMPTS[k % 3]}, "seed": k, "steps": given.steps}
            waiting.append(engine.submit_json(request))
            if len(waiting) == 2 * given.call:
                waiting.popleft().result()[0].to_bytes("png")
                times.append(time.monotonic())
        while waiting:
            waiting.popleft().result()[0].to_bytes("png")
            times.append(time.monotonic())
    return _rate(times[given.shard - 1 :: given.shard], given.shard, begin)


def draw_batch(given: argparse.Namespace, workers: int) -> Rate:
    """Draw the pictures as a batch."""
    with tempfile.TemporaryDirectory(prefix="throughput-") as folder:
        lines = ({"id": k, "prompt": PROMPTS[k % 3]} for k in range(given.rows))
        Path(folder, "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in lines))
        options = ["--model", "emoji-scenes", "--device", "cpu", "--workers", workers]
        options += ["--rows", given.call, "--shard", given.shard, "--set", f"steps={given.steps}"]
        command = [sys.executable, "-m", "latelier", "batch", "rows.jsonl", "out", *options]
        begin = time.time()
        subprocess.run(list(map(str, command)), cwd=folder, env=_environment(), check=True)
        shards = Path(folder, "out", "shards").glob("[0-9]*")
        return _rate(sorted(each.stat().st_mtime for each in shards), given.shard, begin)


def _rate(times: list[float], shard: int, begin: float) -> Rate:
    return Rate((len(times) - 1) * shard / (times[-1] - times[0]), times[0] - begin)


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


if __name__ == "__main__":
    main()
