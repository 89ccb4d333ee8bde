"""Stable Diffusion XL in fp16, with random weights: memory of loading and of a picture.

Nothing is to be in memory twice: the anonymous memory of a picture is the weights in the precision
that is computed in, and what the layers compute. Weights that stay mapped from their files are
resident beside them for as long as nobody else needs the memory.
"""

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch

from benchmarks.cases.models import build
from benchmarks.harness.case import Case, Sample, Setup, SkipError, Variant
from benchmarks.harness.goal import Goal, ratio, value
from benchmarks.harness.memory import MIB, read_status, require_memory, sample_anonymous
from benchmarks.harness.processes import run_python
from latelier.contracts.errors import UnknownNameError
from latelier.pipeline import compose, load
from latelier.presets import read_preset

PRESET, SIDE, STEPS = "sdxl-base", 512, 2
STORED, LOADED, DRAWN, RESIDENT = (
    "weights in their files",
    "loading, anonymous",
    "a picture, anonymous",
    "a picture, resident",
)


class Memory(NamedTuple):
    """Peaks of a process that loads the model and makes a picture, in MiB."""

    loaded: float
    drawn: float
    resident: float


def variants(setup: Setup, /) -> Mapping[str, Variant]:
    """Return the peaks of one new process, and the size of the files."""
    require_memory(16)
    folder = Path(setup.stack.enter_context(TemporaryDirectory(prefix="benchmarks-")))
    save_model(folder)
    stored = sum(file.stat().st_size for file in folder.rglob("*.safetensors")) / MIB
    return {
        STORED: Variant(lambda: Sample(stored), "MiB"),
        LOADED: Variant(lambda: Sample(measure(folder).loaded), "MiB"),
        DRAWN: Variant(lambda: Sample(measure(folder).drawn), "MiB"),
        RESIDENT: Variant(lambda: Sample(measure(folder).resident), "MiB"),
    }


def save_model(folder: Path) -> None:
    """Write the model of the preset, with random weights in fp16.

    Raises:
        SkipError: the plugin of the text encoders is not installed.
    """
    preset, half = read_preset(PRESET), torch.float16
    assert preset.denoiser is not None
    try:
        conditioners = {
            name: build("conditioner", each.id, each.config, dtype=half)
            for name, each in preset.conditioners.items()
        }
    except UnknownNameError as error:
        raise SkipError(str(error)) from None
    compose(
        first_stage=build(
            "first_stage", preset.first_stage.id, preset.first_stage.config, dtype=half
        ),
        denoiser=build("denoiser", preset.denoiser.id, preset.denoiser.config, dtype=half),
        conditioners=conditioners,
        inputs=preset.inputs,
        process=preset.process,
        defaults=preset.defaults,
        device="cpu",
        dtype=half,
    ).save(folder)


@cache
def measure(folder: Path) -> Memory:
    """Return the peaks of a new process."""
    code = f"from benchmarks.cases.sdxl import draw_here; draw_here({str(folder)!r})"
    return Memory(*map(float, run_python(["-c", code]).split()[-3:]))


def draw_here(folder: str) -> None:
    """Load the model in this process, make a picture, and print the peaks of memory, in MiB."""
    load(folder, device="cpu")  # imports all that a loading needs; the weights stay mapped
    before, resident = read_status("RssAnon"), read_status("VmRSS")
    with sample_anonymous() as peak:
        pipe = load(folder, device="cpu")
        loaded = peak[0] - before
        pipe.generate(prompt="a cat", seed=7, size=SIDE, steps=STEPS)
    peaks = Memory(loaded, peak[0] - before, read_status("VmHWM") - resident)
    sys.stdout.write(" ".join(map(str, peaks)) + "\n")


SDXL = Case(
    "sdxl-memory",
    "SDXL in fp16, 512 x 512, 2 steps: memory",
    variants,
    (
        Goal("anonymous memory of loading", value(LOADED), at_most=100, unit="MiB"),
        Goal(
            "anonymous memory of a picture relative to the files", ratio(DRAWN, STORED), at_most=1.3
        ),
    ),
    rounds=1,
    warmups=0,
)
