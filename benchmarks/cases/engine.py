"""The engine against the other ways to serve as many requests with one model."""

from collections.abc import Mapping
from typing import Any

from benchmarks.cases.models import LDM_4, build
from benchmarks.cases.steps import wrap
from benchmarks.harness.case import Case, Setup, SkipError, Variant
from benchmarks.harness.goal import Goal, ratio, speedup
from benchmarks.harness.memory import require_memory
from benchmarks.harness.timing import timed
from latelier.pipeline import Pipeline, load

COLORS = ("red", "green", "blue", "yellow")
THINGS = ("apple", "cat", "bus", "fish")
PROMPTS = [f"a {color} {thing}" for color in COLORS for thing in THINGS]
SAMPLERS = ("ddim", "euler", "dpmpp_2m", "unipc")
STEPS = 12

ENGINE, TOGETHER, IN_TURN = "engine", "one generate()", "one after another"


def mixed(setup: Setup, /) -> Mapping[str, Variant]:
    """Return 16 requests with 4 samplers and 4 guidance scales, and as many pictures at once."""
    pipe = load("emoji-scenes", "cpu")
    engine = start_engine(pipe, setup)
    requests: list[dict[str, Any]] = [
        {
            "prompt": prompt,
            "seed": k,
            "steps": STEPS,
            "sampler": SAMPLERS[k % 4],
            "guidance": 2.0 + k // 4,
        }
        for k, prompt in enumerate(PROMPTS)
    ]
    return {
        IN_TURN: timed(lambda: [pipe.generate(**each) for each in requests]),
        TOGETHER: timed(lambda: pipe.generate(prompt=PROMPTS, seed=0, steps=STEPS, guidance=3.5)),
        ENGINE: timed(lambda: run_in(engine, requests)),
    }


def large(setup: Setup, /) -> Mapping[str, Variant]:
    """Return requests each of which fills the device: LDM-4's denoiser at 64 x 64."""
    require_memory(4)
    pipe = wrap(build("denoiser", "latelier/unet", LDM_4), 64, "auto")
    engine = start_engine(pipe, setup)
    requests: list[dict[str, Any]] = [{"seed": k, "steps": 2, "sampler": "euler"} for k in range(3)]
    return {
        IN_TURN: timed(lambda: [pipe.generate(**each) for each in requests]),
        ENGINE: timed(lambda: run_in(engine, requests)),
    }


def start_engine(pipe: Pipeline, setup: Setup, **options: Any) -> Any:
    """Return an engine that has measured how many rows of a call pay.

    Raises:
        SkipError: there is no engine.
    """
    try:
        from latelier.engine import Engine
    except ImportError:
        raise SkipError("there is no latelier.engine") from None
    engine = setup.stack.enter_context(Engine(pipe, **options))
    engine.warm()
    return engine


def run_in(engine: Any, requests: list[dict[str, Any]]) -> list[Any]:
    """Submit all requests at once, and wait for their pictures."""
    jobs = [engine.submit(**request) for request in requests]
    return [job.result() for job in jobs]


ENGINES = (
    Case(
        "engine-16",
        "Engine, 16 mixed requests, embedded model",
        mixed,
        (
            Goal("throughput relative to one generate()", speedup(ENGINE, TOGETHER), 0.95),
            Goal("throughput over one after another", speedup(ENGINE, IN_TURN), 2.0),
        ),
    ),
    Case(
        "engine-large",
        "Engine, 3 requests of LDM-4 size, 64 x 64",
        large,
        (Goal("time relative to one after another", ratio(ENGINE, IN_TURN), at_most=1.03),),
        rounds=5,
    ),
)
