"""What the embedded model takes on one core of this machine, as the simulation of serving reads it.

    python plugins/latelier-ray/benchmarks/measure_costs.py costs.json

All figures are CPU seconds, so that other work on the machine hardly changes them; on an idle core
they are seconds. The denoiser, the inputs and the decoder are timed alone. The Python of a request
is what 16 of them take in an engine whose denoiser does nothing.
"""

import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import latelier
import torch
from latelier.contracts.configs import DenoiserConfig
from latelier.diffusion.calls import DenoiserCall
from latelier.engine import Engine
from latelier.engine.warming import default_geometry, make_call
from latelier.pipeline.pipeline import Pipeline, plan_keywords
from latelier.pipeline.planning.layout import fastest_batch_size
from latelier.pipeline.run import encode_inputs
from torch import Tensor

MODEL = "emoji-scenes"
ROWS = (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64)
PICTURES = (1, 2, 4, 8, 16)
REPEATS = 7
JOBS, FEW_STEPS, MANY_STEPS = 16, 4, 104


def measure_device(pipe: Pipeline) -> dict[str, Any]:
    """Return the costs of a pipeline."""
    with torch.no_grad():
        call = {rows: time_denoiser(pipe, rows) for rows in ROWS}
        encode = {count: time_encoding(pipe, count) for count in PICTURES}
        decode = {count: time_decoding(pipe, count) for count in PICTURES}
    return {
        "source": describe(pipe),
        "call": call,
        "encode": encode,
        "decode": decode,
        **time_python(pipe),
        "pictures": fastest_batch_size(pipe.defaults.size, pipe.device),
    }


def time_denoiser(pipe: Pipeline, rows: int) -> float:
    """Return the seconds of a call."""
    call: DenoiserCall = make_call(pipe.without_unused_adapters(()), default_geometry(pipe), rows)
    return time_median(lambda: call.run(pipe.denoiser))


def time_encoding(pipe: Pipeline, count: int) -> float:
    """Return the seconds to encode prompts and no prompts."""
    parts, plan = plan_keywords(pipe, {"prompt": ["a red apple on a blue background"] * count})
    return time_median(lambda: encode_inputs(parts, plan))


def time_decoding(pipe: Pipeline, count: int) -> float:
    """Return the seconds to decode pictures."""
    channels = pipe.first_stage.config.latent_channels
    latents = torch.ones(count, channels, *default_geometry(pipe).latent_size, dtype=pipe.dtype)
    return time_median(lambda: pipe.first_stage.decode(latents))


def time_python(pipe: Pipeline) -> dict[str, float]:
    """Return the seconds of Python before the first call of a request, and after each.

    They are those of requests of few and of many steps to a model whose denoiser does nothing.
    """
    idle = pipe.with_denoiser(Idle(pipe.denoiser.config))
    with Engine(idle, rows=2 * JOBS) as engine:
        few, many = (
            time_median(lambda steps=steps: run_jobs(engine, JOBS, steps))
            for steps in (FEW_STEPS, MANY_STEPS)
        )
    between = (many - few) / (MANY_STEPS - FEW_STEPS) / JOBS
    ends = time_encoding(pipe, JOBS) + time_decoding(pipe, JOBS)
    begin = (few - ends) / JOBS - (FEW_STEPS + 2) * between
    return {"begin": max(0.0, begin), "between": between}


class Idle:
    """A denoiser that takes no time."""

    def __init__(self, config: DenoiserConfig) -> None:
        self.config = config

    def __call__(self, x: Tensor, *_: object) -> Tensor:
        """Return (B, C, h, w)."""
        return x


def run_jobs(engine: Engine, jobs: int, steps: int) -> None:
    """Run requests of the same number of steps together."""
    waiting = [engine.submit(prompt="a cat", seed=k, steps=steps) for k in range(jobs)]
    for job in waiting:
        job.result()


def time_median(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the median seconds of some work that has been done once before."""
    work()
    return median(time_once(work) for _ in range(repeats))


def time_once(work: Callable[[], object]) -> float:
    """Return the CPU seconds of some work, of all threads."""
    start = time.process_time()
    work()
    return time.process_time() - start


def describe(pipe: Pipeline) -> str:
    """Return the machine, the model and the precision."""
    name = platform.processor() or platform.machine()
    return (
        f"{MODEL} in {str(pipe.dtype).removeprefix('torch.')}, {name}, "
        f"one thread, torch {torch.__version__}; "
        "plugins/latelier-ray/benchmarks/measure_costs.py"
    )


def main(arguments: Sequence[str]) -> None:
    """Write the costs to a file."""
    torch.set_num_threads(1)
    pipe = latelier.load(MODEL, device="cpu")
    Path(arguments[0]).write_text(json.dumps(round_all(measure_device(pipe)), indent=2) + "\n")


def round_all(value: Any) -> Any:
    """Return a value whose numbers have four digits."""
    if isinstance(value, dict):
        return {key: round_all(each) for key, each in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main(sys.argv[1:])
