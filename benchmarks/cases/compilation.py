"""A step with compiled blocks: the first call of a process, which compiles, and all later ones.

First calls are measured in processes of their own: one that finds no compiled code, and one that
finds that of another process.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from tempfile import TemporaryDirectory, mkdtemp
from time import perf_counter
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.cases.models import SD_15, build
from benchmarks.cases.steps import OURS, SIGMA, UNET_25M, Call, wrap
from benchmarks.harness.case import Case, Sample, Setup, Variant
from benchmarks.harness.goal import Goal, Samples, speedup
from benchmarks.harness.memory import require_memory
from benchmarks.harness.processes import run_python
from latelier.checkpoints.component import Component
from latelier.nn.compilation import compile_blocks
from latelier.nn.views import copy_structure
from latelier.pipeline import Pipeline

COMPILED = "latelier, compiled blocks"
FIRST, SECOND = "first call, nothing cached", "first call, cached by another process"
SIDE, STEPS = 32, 20
"""Of the latents, and of a picture."""

FOLDER = "TORCHINDUCTOR_CACHE_DIR"


@dataclass(frozen=True)
class Network:
    """A UNet of a size.

    Attributes:
        name: of the case.
        title: human-readable.
        config: fields of the UNet.
        calls: in a sample.
        gib: memory that the variants need.
    """

    name: str
    title: str
    config: Mapping[str, Any] = field(repr=False)
    calls: int
    gib: float

    def variants(self, setup: Setup, /) -> Mapping[str, Variant]:
        """Return the step without and with compiled blocks, and the first calls of processes."""
        require_memory(self.gib)
        cache = setup.stack.enter_context(TemporaryDirectory(prefix="benchmarks-"))
        setup.stack.enter_context(patch.dict(os.environ, {FOLDER: cache}))
        plain, compiled = wrap(self.unet, SIDE, "auto"), self.compiled()
        call = Call.of(plain, SIDE)
        variants = {
            OURS: call.ours(plain, self.calls),
            COMPILED: call.ours(compiled, self.calls),
            FIRST: Variant(lambda: self.first_call(mkdtemp(dir=cache))),
            SECOND: Variant(lambda: self.first_call(cache)),
        }
        for each in (OURS, COMPILED):
            variants[each].take()  # compiles, and packs the weights
        return variants

    @cached_property
    def unet(self) -> Component:
        """The network."""
        return build("denoiser", "latelier/unet", self.config)

    def compiled(self) -> Pipeline:
        """Return a pipeline whose network has compiled blocks, and the weights of `unet`."""
        view = replace(self.unet, module=copy_structure(self.unet.module))
        compile_blocks(view.module)
        return wrap(view, SIDE, "auto")

    def first_call(self, folder: str) -> Sample:
        """Measure the first call of a new process, with compiled code in a folder."""
        environment = {**os.environ, FOLDER: folder}
        return Sample(float(run_python(["-m", __name__, self.name], environment)))


def pictures_until_it_pays(first: str) -> Goal:
    """Return after how many pictures compiling has saved the time of a first call."""

    def divide(samples: Samples) -> list[float]:
        rounds = zip(samples[OURS], samples[COMPILED], samples[first], strict=True)
        return [(once - step) / (STEPS * max(step - fast, 1e-9)) for step, fast, once in rounds]

    return Goal(f"pictures of {STEPS} steps until it pays, {first}", divide, unit="")


def make_case(network: Network) -> Case:
    goals = (
        Goal("speed over the plain step", speedup(COMPILED, OURS)),
        pictures_until_it_pays(FIRST),
        pictures_until_it_pays(SECOND),
    )
    return Case(network.name, network.title, network.variants, goals, rounds=3, warmups=0)


NETWORKS = (
    Network("compile-25m", "Compiled blocks, 25 M parameters", UNET_25M, calls=20, gib=3),
    Network("compile-sd15", "Compiled blocks, SD 1.5 size (860 M)", SD_15, calls=3, gib=11),
)
COMPILATION = tuple(make_case(each) for each in NETWORKS)


@torch.no_grad()
def main(name: str) -> None:
    """Print the seconds of the first call of a network in this process."""
    [network] = [each for each in NETWORKS if each.name == name]
    pipe = network.compiled()
    call = Call.of(pipe, SIDE)
    denoise = call.denoise_fn(pipe)
    start = perf_counter()
    denoise(call.x, SIGMA)
    print(perf_counter() - start)


if __name__ == "__main__":
    main(sys.argv[1])
