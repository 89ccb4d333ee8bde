"""The memory of a step of a large picture: in one piece, and in windows one at a time."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from benchmarks.cases.models import SD_15, build
from benchmarks.cases.pictures import draw_prompts
from benchmarks.cases.steps import wrap
from benchmarks.harness.case import Case, Setup, Variant
from benchmarks.harness.goal import Goal, ratio
from benchmarks.harness.memory import peak_memory, require_memory
from benchmarks.harness.timing import timed

SIDE = 1024
WHOLE, WINDOWS = "in one piece", "in windows of 512"
REQUESTS: Mapping[str, dict[str, Any]] = {WHOLE: {}, WINDOWS: {"window": 64}}
"""Sizes are in latents, which are the pictures here."""


def steps(_setup: Setup, /) -> Mapping[str, Variant]:
    """Return the first step of a run with guidance."""
    require_memory(8)
    pipe = wrap(build("denoiser", "latelier/unet", SD_15), SIDE // 8, "auto")
    prompt = draw_prompts(1)[0].tolist()

    def step(name: str) -> None:
        run = pipe.stream(text=[prompt], seed=1, steps=2, guidance=7.5, **REQUESTS[name])
        next(run)

    return {name: timed(partial(step, name)) for name in REQUESTS}


def memory(_setup: Setup, /) -> Mapping[str, Variant]:
    """Return the peak memory of each, in processes of their own."""
    require_memory(8)
    return {name: peak_memory("windows-1024", name) for name in REQUESTS}


WINDOWED = (
    Case(
        "windows-1024",
        f"A step in windows, SD 1.5 size, {SIDE} x {SIDE}",
        steps,
        (Goal("time relative to one piece", ratio(WINDOWS, WHOLE)),),
        rounds=3,
        warmups=0,
    ),
    Case(
        "windows-1024-memory",
        f"A step in windows, SD 1.5 size, {SIDE} x {SIDE}: memory",
        memory,
        (Goal("peak memory relative to one piece", ratio(WINDOWS, WHOLE)),),
        rounds=3,
        warmups=0,
    ),
)
