"""Accelerations: how much faster a run is, and how far the pictures of the embedded model move."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import count
from typing import Any

from torch import Tensor

from benchmarks.cases.models import LDM_4, SD_15, build
from benchmarks.cases.pictures import draw_prompts
from benchmarks.cases.precision import PROMPTS
from benchmarks.cases.steps import wrap
from benchmarks.harness.case import Case, Sample, Setup, Variant
from benchmarks.harness.goal import Goal, lowest, speedup, value
from benchmarks.harness.memory import require_memory
from benchmarks.harness.timing import timed
from latelier.contracts.images.pixels import pil_to_tensor
from latelier.metrics.psnr import psnr
from latelier.pipeline import Pipeline, load

EXACT = "exact"
Choices = Mapping[str, Mapping[str, Any]]
"""Variant -> what it changes of a request."""

LARGE: Choices = {
    "deep_cache": {"acceleration": "deep_cache"},
    "token_merging": {"acceleration": "token_merging"},
    "token_merging, from 1024 tokens": {
        "acceleration": {"name": "token_merging", "min_tokens": 1024}
    },
}
"""Of models whose largest maps have thousands of tokens."""

EMBEDDED: Choices = {
    **{
        f"deep_cache, interval {interval}, depth {depth}": {
            "acceleration": {"name": "deep_cache", "interval": interval, "depth": depth}
        }
        for interval, depth in ((2, 1), (3, 1), (3, 2), (5, 1))
    },
    "token_merging, from 64 tokens": {"acceleration": {"name": "token_merging", "min_tokens": 64}},
    "guidance at some sigmas": {"guidance": "cfg_interval"},
    "10 steps": {"steps": 10},
}
"""Of the embedded model, whose self-attentions have 64 tokens and whose default is 20 steps."""


@dataclass(frozen=True)
class Sampling:
    """A run of a UNet, whose latents are its pictures.

    Attributes:
        config: fields of the UNet.
        side: of the latents.
        steps: of the run.
    """

    config: Mapping[str, Any] = field(repr=False)
    side: int
    steps: int

    def variants(self, _setup: Setup, /) -> Mapping[str, Variant]:
        """Return the run, exact and accelerated."""
        require_memory(8)
        pipe = wrap(build("denoiser", "latelier/unet", self.config), self.side, "auto")
        request: dict[str, Any] = {"seed": 1, "steps": self.steps, "guidance": 1.0}
        if self.config.get("context_dim"):
            request |= {"text": [draw_prompts(1)[0].tolist()], "guidance": 7.5}
        return time_choices(pipe, request, LARGE)


def time_choices(
    pipe: Pipeline, request: Mapping[str, Any], choices: Choices
) -> dict[str, Variant]:
    """Return a request as it is, and with each choice."""
    return {
        name: timed(partial(sample_latents, pipe, {**request, **choice}))
        for name, choice in {EXACT: {}, **choices}.items()
    }


def sample_latents(pipe: Pipeline, request: Mapping[str, Any]) -> Tensor:
    """Return the latents of a request."""
    *_, last = pipe.stream(**request)
    return last.latents


def time_embedded(_setup: Setup, /) -> Mapping[str, Variant]:
    """Return a picture of the embedded model, exact and accelerated."""
    pipe = load("emoji-scenes", "cpu")
    return time_choices(pipe, {"prompt": PROMPTS[0], "seed": 1}, EMBEDDED)


def compare_embedded(_setup: Setup, /) -> Mapping[str, Variant]:
    """Return the PSNR of the pictures of the next seed, against the exact ones."""
    pipe = load("emoji-scenes", "cpu")

    def draw(seed: int, **choice: Any) -> Tensor:
        [picture] = pipe.generate(prompt=PROMPTS[seed % len(PROMPTS)], seed=seed, **choice)
        return pil_to_tensor(picture.image)[None]

    draw_exact = cache(draw)

    def variant(choice: Mapping[str, Any], seeds: Iterator[int]) -> Variant:
        def take() -> Sample:
            seed = next(seeds)
            found = float(psnr(draw(seed, **choice), draw_exact(seed)))
            return Sample(min(100.0, found))  # that of equal pictures is infinite

        return Variant(take, "dB")

    return {name: variant(choice, count()) for name, choice in EMBEDDED.items()}


def speed_goals(names: Choices) -> tuple[Goal, ...]:
    return tuple(Goal(f"speed of {name}", speedup(name, EXACT)) for name in names)


ACCELERATIONS = (
    Case(
        "acceleration-sd15",
        "Accelerated runs, SD 1.5 size, 64 x 64, 3 steps",
        Sampling(SD_15, 64, 3).variants,
        speed_goals(LARGE),
        rounds=3,
        warmups=0,
    ),
    Case(
        "acceleration-ldm4",
        "Accelerated runs, LDM-4 (274 M), 64 x 64, 6 steps",
        Sampling(LDM_4, 64, 6).variants,
        speed_goals(LARGE),
        rounds=5,
    ),
    Case(
        "acceleration-embedded",
        "Accelerated pictures of the embedded model",
        time_embedded,
        speed_goals(EMBEDDED),
        rounds=11,
    ),
    Case(
        "acceleration-loss",
        "Accelerated pictures of the embedded model against exact ones",
        compare_embedded,
        (
            *(Goal(f"PSNR of {name}", value(name), unit="dB") for name in EMBEDDED),
            *(Goal(f"lowest PSNR of {name}", lowest(name), unit="dB") for name in EMBEDDED),
        ),
        rounds=50,
        warmups=0,
    ),
)
