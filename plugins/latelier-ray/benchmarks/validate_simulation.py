"""The simulated engine against the real one: the same requests at the same times.

    python plugins/latelier-ray/benchmarks/validate_simulation.py --requests 300

Both serve Poisson arrivals for the embedded model on one core, at several loads. The costs are
measured before, or read from a file that measure_costs.py has written. Run it on an idle machine.
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import latelier
import torch
from latelier.engine import Engine, Job
from latelier.evaluation.report.markdown import to_table
from latelier.pipeline.pipeline import Pipeline
from measure_costs import MODEL, measure_device

from latelier_ray.simulation.costs import Costs
from latelier_ray.simulation.outcome import Outcome
from latelier_ray.simulation.serving import serve
from latelier_ray.simulation.workload import MIXED, Request, Workload

LOADS = (0.2, 0.4, 0.6, 0.8)


def main() -> None:
    """Print a table of both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=300, help="of each load")
    parser.add_argument("--costs", type=Path, help="a file of measure_costs.py")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    pipe = latelier.load(MODEL, device="cpu")
    costs = read_costs(pipe, asked.costs)
    rows = [compare(pipe, costs, load, asked.requests) for load in LOADS]
    heads = ("load", "p50 s", "simulated", "ratio", "p99 s", "simulated", "ratio", "rows a call")
    print(to_table(heads, rows))


def read_costs(pipe: Pipeline, path: Path | None) -> Costs:
    """Return the costs in a file, or those of this machine now."""
    if path is not None:
        return Costs.model_validate_json(path.read_bytes())
    return Costs.model_validate(measure_device(pipe))


def compare(pipe: Pipeline, costs: Costs, load: float, count: int) -> list[str]:
    """Return a row of the table."""
    unit = Workload(MIXED, 1.0, count)
    workload = replace(unit, rate=load / (unit.mean_work * costs.best))
    simulated = serve(workload, costs)
    with Engine(pipe) as engine:
        engine.warm()
        before = engine.stats().calls
        measured = Outcome(run(engine, pipe, workload.make_requests(0)), costs, 1.0, 1.0)
        calls = engine.stats().calls
    cells = [f"{load:.1f}"]
    for share in (0.5, 0.99):
        real, ours = measured.percentile(share), simulated.percentile(share)
        cells += [f"{real:.2f}", f"{ours:.2f}", f"{ours / real:.2f}"]
    return [*cells, f"{(calls.rows - before.rows) / (calls.calls - before.calls):.1f}"]


def run(engine: Engine, pipe: Pipeline, requests: list[Request]) -> list[Request]:
    """Submit requests when they arrive, and return them with the times of their ends."""
    start = time.monotonic()

    def wait(job: Job, request: Request) -> None:
        job.result()
        request.end = time.monotonic() - start

    with ThreadPoolExecutor(len(requests)) as pool:
        for request in requests:
            time.sleep(max(0.0, start + request.arrival - time.monotonic()))
            pool.submit(wait, engine.submit(**to_keywords(pipe, request)), request)
    return requests


def to_keywords(pipe: Pipeline, request: Request) -> dict[str, Any]:
    """Return the keywords of a request, whose sampler makes one call a step."""
    width, height = pipe.defaults.size
    shape = request.shape
    return {
        "prompt": "a red apple on a blue background",
        "seed": request.number,
        "client": request.client,
        "sampler": "euler",
        "steps": shape.calls,
        "n": shape.pictures,
        "size": (width, round(height * shape.size)),
    }


if __name__ == "__main__":
    main()
