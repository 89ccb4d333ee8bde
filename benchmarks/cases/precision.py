"""Pictures of the embedded model in bf16 against the same pictures in fp32, seed by seed."""

from collections.abc import Iterator, Mapping
from itertools import count

from benchmarks.harness.case import Case, Sample, Setup, Variant
from benchmarks.harness.goal import Goal, lowest, value
from latelier.contracts.images.pixels import pil_to_tensor
from latelier.metrics.psnr import psnr
from latelier.pipeline import Pipeline, load

PROMPTS = (
    "a red apple on a blue background",
    "a cat and a dog on a green background",
    "a yellow bus left of a tree",
    "a purple fish on a white background",
)
BF16 = "bf16"


def variants(_setup: Setup, /) -> Mapping[str, Variant]:
    """Return the PSNR of the pictures of the next seed."""
    pipes = [load("emoji-scenes", "cpu", dtype) for dtype in ("float32", "bfloat16")]
    seeds = count()
    return {BF16: Variant(lambda: Sample(compare(pipes, seeds)), "dB")}


def compare(pipes: list[Pipeline], seeds: Iterator[int]) -> float:
    """Return the PSNR of two pipelines' pictures of a seed, in dB."""
    seed = next(seeds)
    prompt = PROMPTS[seed % len(PROMPTS)]
    expected, found = (
        pil_to_tensor(pipe.generate(prompt=prompt, seed=seed)[0].image)[None] for pipe in pipes
    )
    return min(100.0, float(psnr(found, expected)))  # that of equal pictures is infinite


PRECISION = Case(
    "precision",
    "The embedded model in bf16 against fp32",
    variants,
    (
        Goal("PSNR of pictures", value(BF16), at_least=35, unit="dB"),
        Goal("lowest PSNR of all seeds", lowest(BF16), at_least=35, unit="dB"),
    ),
    rounds=100,
    warmups=0,
)
