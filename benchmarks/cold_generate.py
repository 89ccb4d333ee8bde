"""Measure the time of one picture from a cold start, and its parts.

The total is the process `latelier generate`, 20 steps with guidance, with a warm page cache. The
parts are measured by a script that does the same in Python: start of the interpreter, import
(torch and the pipeline), load, sample, decode, save, and exit of the interpreter. The command
itself adds the parsing of its arguments.

python benchmarks/cold_generate.py --model emoji-scenes
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PROMPT = "a red apple on a blue background"
PARTS = ("start", "import", "load", "sample", "decode", "save", "exit")

SCRIPT = """
import atexit, gc, json, sys, time
from pathlib import Path
atexit.register(gc.freeze)
began, model, prompt, steps, guidance, folder = sys.argv[1:]
marks = {"start": time.time()}
from latelier.pipeline import load
marks["import"] = time.time()
pipeline = load(model)
marks["load"] = time.time()
decode, decoding = pipeline.first_stage.decode, []
def time_decode(latents):
    start = time.time()
    try:
        return decode(latents)
    finally:
        decoding.append(time.time() - start)
pipeline.first_stage.decode = time_decode
(picture,) = pipeline.generate(prompt=prompt, seed=7, steps=int(steps), guidance=float(guidance))
marks["sample"] = time.time()
picture.save(Path(folder) / "parts.png")
marks["save"] = time.time()
spans, before = {}, float(began)
for name, mark in marks.items():
    spans[name], before = mark - before, mark
spans["decode"] = sum(decoding)
spans["sample"] -= spans["decode"]
print(json.dumps(spans))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="emoji-scenes")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=5.0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        time_command(arguments, folder)  # fills the page cache
        totals = [time_command(arguments, folder) for _ in range(arguments.runs)]
        splits = [time_parts(arguments, folder) for _ in range(arguments.runs)]
    report: dict[str, Any] = {
        "whole_s": statistics.median(wall for wall, _ in totals),
        "least_s": min(wall for wall, _ in totals),
        "processor_s": statistics.median(used for _, used in totals),
        "split_s": {name: statistics.median(each[name] for each in splits) for name in splits[0]},
        "target_s": 6.0,
    }
    if arguments.json:
        print(json.dumps(report, indent=2))
        return
    print(
        f"latelier generate, {arguments.steps} steps, median of {arguments.runs}: "
        f"{report['whole_s']:.2f} s (target {report['target_s']:.0f}), "
        f"least {report['least_s']:.2f}, processor time {report['processor_s']:.2f}, "
        f"load {os.getloadavg()[0]:.1f}"
    )
    print("  " + ", ".join(f"{name} {span:.2f}" for name, span in report["split_s"].items()))


def time_command(arguments: argparse.Namespace, folder: str) -> tuple[float, float]:
    """Return wall and processor time of the command, in seconds."""
    program = Path(sys.executable).with_name("latelier")
    command = [
        *(program, "generate", PROMPT, "--model", arguments.model, "--seed", "7", "--force"),
        *("--steps", str(arguments.steps), "--guidance", str(arguments.guidance)),
        *("--output", Path(folder) / "total.png"),
    ]
    before, start = processor_time(), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start, processor_time() - before


def time_parts(arguments: argparse.Namespace, folder: str) -> dict[str, float]:
    """Run the script in a process of its own and return the seconds of each part."""
    options = [arguments.model, PROMPT, str(arguments.steps), str(arguments.guidance), folder]
    began = time.time()
    command = [sys.executable, "-c", SCRIPT, str(began), *options]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    spans: dict[str, float] = json.loads(done.stdout)
    spans["exit"] = time.time() - began - sum(spans.values())
    return {name: spans[name] for name in PARTS}


def processor_time() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
