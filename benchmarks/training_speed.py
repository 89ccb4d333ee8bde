"""How fast does a denoiser train? Images a second, against the loop of diffusers' example.

Two comparisons, on the network of configs/emoji-scenes/denoiser.yaml:

stage two   the training of that file, with its text encoder and classes. Once with latents of a
            cache, once with pictures that are composed and encoded in each step.
loop        the network alone, latents and text features in memory, as `latelier train` runs it and
            as the text-to-image example of diffusers does: accelerate, AdamW, clipping, a schedule,
            EMAModel.

All variants run in turn in one process, so that other work on the machine falls on all of them
alike, and the memory setting of latelier's runs holds for the peer too. "images/s" is by the clock,
"images/core-s" by the processor time of all threads. The share is that of a product of two
2048 x 2048 matrices in the same number format, measured in the same run; the work of a step is
three forward passes of the denoiser, and conditioners are not counted.

python benchmarks/training_speed.py               # on an idle machine
python benchmarks/training_speed.py --threads 1   # under load: compare images/core-s

Needs: pip install accelerate diffusers. Without them the peer is left out.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, redirect_stderr
from dataclasses import dataclass, field
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

import torch
import yaml
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from latelier.checkpoints.component import Component, new_component
from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import Condition, ConditionPart, Stream
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.configs import ConditionerConfig, OutputSpec
from latelier.contracts.frozen import Frozen
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.kernel.default import default_atelier
from latelier.training.caching import open_caches
from latelier.training.components import load_first_stage
from latelier.training.configs.components import InputSource
from latelier.training.configs.denoiser import DenoiserTraining
from latelier.training.configs.optimization import Precision
from latelier.training.configs.training import read_training
from latelier.training.denoiser.train import plan_denoiser
from latelier.training.evaluator import Evaluator
from latelier.training.loop.batches import load_batches
from latelier.training.loop.monitor import Monitor
from latelier.training.loop.plan import TrainingPlan
from latelier.training.loop.run import open_run
from latelier.training.loop.state import TrainingState
from latelier.training.prediction.objective import PredictionObjective
from latelier.training.prediction.parts import PredictionParts

RECIPE = Path(__file__).parents[1] / "configs" / "emoji-scenes" / "denoiser.yaml"
ATELIER = default_atelier()
LATENT, TOKENS, WIDTH = (6, 16, 16), 32, 128
STORED = 256
"""Samples in memory, which repeat."""

ENDLESS = 1_000_000
"""Steps of a run: none ends before it is measured."""

Step = Callable[[], object]
"""Takes one step of a training."""


@dataclass
class Measured:
    """The steps of a variant; seconds a step, one entry for each round."""

    step: Step
    precision: Precision
    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


class StoredSamples(Dataset[dict[str, Any]]):
    """A few samples in memory, at every position."""

    def __init__(self, samples: Sequence[Mapping[str, Any]]) -> None:
        self._samples = samples

    def __len__(self) -> int:
        """Return a number of positions that no run reaches."""
        return 2**31

    def __getitem__(self, position: int) -> dict[str, Any]:
        """Return the sample at a position."""
        return {**self._samples[position % len(self._samples)], "index": position}


class Features(Frozen, arbitrary_types_allowed=True):
    """Features of a text (N, D)."""

    features: Tensor


class TextConfig(ConditionerConfig):
    """The configuration of `StoredText`."""

    def outputs(self) -> OutputSpec:
        return OutputSpec(stream=WIDTH)


class StoredText(Conditioner[TextConfig]):
    """Passes stored features on as tokens."""

    Input: ClassVar[type[Features]] = Features

    def __init__(self) -> None:
        super().__init__(TextConfig())

    def prepare(
        self, inputs: Sequence[Features], _geometry: PictureGeometry, /
    ) -> dict[str, Tensor]:
        return {"stored_tokens": torch.stack([each.features for each in inputs])}

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        return ConditionPart(Stream(batch["stored_tokens"]))

    def null(self, rows: int, _geometry: PictureGeometry, /) -> ConditionPart:
        return ConditionPart(Stream(torch.zeros(rows, TOKENS, WIDTH)))


def main() -> None:
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    precisions: list[Precision] = ["32-true", "bf16-mixed"]
    with ExitStack() as stack:
        out = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        variants = stage_two(out, arguments, stack) | loops(out, arguments, precisions, stack)
        ceilings = {precision: Measured(product(precision), precision) for precision in precisions}
        for _ in range(arguments.rounds):
            for ceiling in ceilings.values():
                measure(ceiling, 4)
            for variant in variants.values():
                measure(variant, arguments.steps)
    report(variants, ceilings, count_flops(), arguments)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=7, help="times that each variant is measured")
    parser.add_argument("--steps", type=int, default=8, help="steps each time")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--workers", type=int, default=0, help="processes that load data")
    parser.add_argument("--only", default="", help="part of the names of variants to measure")
    parser.add_argument("--json", action="store_true", help="print JSON and not a table")
    return parser.parse_args()


def measure(variant: Measured, steps: int) -> None:
    """Take steps, of which the first is not counted: the caches are those of another variant."""
    variant.step()
    clock, processor = time.perf_counter(), time.process_time()
    for _ in range(steps):
        variant.step()
    variant.clock.append((time.perf_counter() - clock) / steps)
    variant.processor.append((time.process_time() - processor) / steps)


def product(precision: Precision) -> Step:
    dtype = torch.bfloat16 if precision == "bf16-mixed" else torch.float32
    a, b = torch.randn(2, 2048, 2048, dtype=dtype)
    return lambda: a @ b


def count_flops() -> int:
    """Return the floating-point operations of a forward pass of the denoiser for one image."""
    condition = Condition(streams={"text": Stream(torch.zeros(1, TOKENS, WIDTH))})
    with FlopCounterMode(display=False) as counter:
        build_denoiser().module(torch.zeros(1, *LATENT), torch.zeros(1), condition)
    return counter.get_total_flops()


def stage_two(out: Path, arguments: argparse.Namespace, stack: ExitStack) -> dict[str, Measured]:
    names = {"stage two, cached latents": True, "stage two, pictures": False}
    variants = {}
    for name, is_cached in names.items():
        if arguments.only not in name:
            continue
        config = recipe(out / name, arguments)
        if is_cached:
            config = write_cache(config, out)
        variants[name] = Measured(start(plan_denoiser(config, ATELIER), stack), config.precision)
    return variants


def write_cache(config: DenoiserTraining, out: Path) -> DenoiserTraining:
    """Write a cache of a few scenes, and return the configuration of a training on it."""
    values = config.model_dump(mode="json")
    values["data"] |= {"length": STORED, "cache": {"folder": str(out / "cache")}}
    file = out / "cached.yaml"
    file.write_text(yaml.safe_dump(values))
    latents, _ = open_caches("denoiser", file, ATELIER)
    latents.write(torch.device("cpu"), 0, lambda results, _: results)
    return read_training(file, DenoiserTraining)


def loops(
    out: Path, arguments: argparse.Namespace, precisions: Sequence[Precision], stack: ExitStack
) -> dict[str, Measured]:
    samples = [
        {"latents": torch.randn(LATENT), "stored_tokens": torch.randn(TOKENS, WIDTH)}
        for _ in range(STORED)
    ]
    has_peer = bool(find_spec("diffusers") and find_spec("accelerate"))
    variants = {}
    for precision in precisions:
        name = f"loop, latelier, {precision}"
        if arguments.only in name:
            config = recipe(out / name, arguments, precision=precision)
            variants[name] = Measured(start(plan_loop(config, samples), stack), precision)
        name = f"loop, diffusers, {precision}"
        if arguments.only in name and has_peer:
            step = start_diffusers(samples, arguments, precision)
            variants[name] = Measured(step, precision)
    return variants


def recipe(out: Path, arguments: argparse.Namespace, **changes: Any) -> DenoiserTraining:
    values = {
        **yaml.safe_load(RECIPE.read_text()),
        "out": out,
        "first_stage": "emoji-scenes",
        "steps": ENDLESS,
        "batch_size": arguments.batch_size,
        "channels_last": arguments.channels_last,
        "workers": arguments.workers,
        "log_every": 50,
        "fit_samples": 2000,
        "validation": {"samples": 1},
        **changes,
    }
    return DenoiserTraining.model_validate(values)


def plan_loop(config: DenoiserTraining, samples: Sequence[Mapping[str, Any]]) -> TrainingPlan:
    """Return the training of the denoiser alone, with stored text features."""
    first_stage = load_first_stage("first_stage", "emoji-scenes", ATELIER)
    text = {"text": Component("conditioner", "benchmark/stored", "0", StoredText())}
    denoiser = build_denoiser()
    parts = PredictionParts(
        first_stage=first_stage,
        denoiser=denoiser,
        conditioners=text,
        process=RectifiedFlow(),
        sources={"text": InputSource(source="stored_tokens", drop=0.1)},
        trained={"denoiser": denoiser.module},
        fixed={"first_stage": first_stage, "conditioners.text": text["text"]},
        constant=text,
        origin="stored",
    )
    evaluator = Evaluator(PredictionObjective(parts, config))
    return TrainingPlan(config, evaluator, StoredSamples(samples))


def build_denoiser() -> Component:
    """Return the denoiser of the recipe, without classes: the example of diffusers has none."""
    choice = yaml.safe_load(RECIPE.read_text())["denoiser"]
    return new_component("denoiser", choice["id"], {**choice["config"], "vectors": {}}, ATELIER)


def start(plan: TrainingPlan, stack: ExitStack) -> Step:
    """Return what takes the steps of a training, as the loop does."""
    with redirect_stderr(StringIO()):
        steps = take_steps(plan)
        next(steps)
    stack.callback(steps.close)
    return lambda: next(steps)


def take_steps(plan: TrainingPlan) -> Generator[None, None, None]:
    with open_run(plan.config, resume=False) as run:
        plan.initialize(plan.config.out, True)
        state = TrainingState(plan.objective, run)
        monitor = Monitor(plan, run, ATELIER, 0)
        with monitor.progress:
            for batches in monitor.progress.measure_wait(load_batches(plan, run, 0)):
                monitor.observe_step(state.step, state.take_step(batches))
                yield


def start_diffusers(
    samples: Sequence[Mapping[str, Any]], arguments: argparse.Namespace, precision: Precision
) -> Step:
    """Return what takes the steps of the training example of diffusers, with its own defaults."""
    steps = take_steps_of_diffusers(samples, arguments, precision)
    next(steps)
    return lambda: next(steps)


def take_steps_of_diffusers(
    samples: Sequence[Mapping[str, Any]], arguments: argparse.Namespace, precision: Precision
) -> Iterator[None]:
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState
    from diffusers import DDPMScheduler
    from diffusers.optimization import get_scheduler
    from diffusers.training_utils import EMAModel

    AcceleratorState._reset_state(True)  # else all have the precision of the first
    accelerator = Accelerator(cpu=True, mixed_precision="bf16" if "bf16" in precision else "no")
    noises = DDPMScheduler(num_train_timesteps=1000, beta_schedule="scaled_linear")
    unet: Any = build_unet_of_diffusers(arguments)
    average = EMAModel(unet.parameters(), model_cls=type(unet), model_config=unet.config)
    optimizer: Any = torch.optim.AdamW(unet.parameters(), lr=1e-4, weight_decay=1e-2)
    loader: Any = DataLoader(samples, arguments.batch_size, shuffle=True)
    rates: Any = get_scheduler("constant", optimizer, num_warmup_steps=500)
    unet, optimizer, loader, rates = accelerator.prepare(unet, optimizer, loader, rates)
    while True:
        for batch in loader:
            with accelerator.accumulate(unet):
                latents = batch["latents"]
                noise, rows = torch.randn_like(latents), len(latents)
                t = torch.randint(0, 1000, (rows,))
                noisy = noises.add_noise(latents, noise, t)
                prediction = unet(noisy, t, batch["stored_tokens"], return_dict=False)[0]
                loss = mse_loss(prediction.float(), noise.float())
                accelerator.gather(loss.repeat(rows)).mean().item()
                accelerator.backward(loss)
                accelerator.clip_grad_norm_(unet.parameters(), 1.0)
                optimizer.step()
                rates.step()
                optimizer.zero_grad()
            average.step(unet.parameters())
            yield


def build_unet_of_diffusers(arguments: argparse.Namespace) -> Any:
    from diffusers import UNet2DConditionModel

    unet: Any = UNet2DConditionModel(
        sample_size=LATENT[1],
        in_channels=LATENT[0],
        out_channels=LATENT[0],
        block_out_channels=(64, 128, 128),
        layers_per_block=1,
        norm_num_groups=8,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,  # the number of heads, in spite of its name
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    )
    ours = sum(each.numel() for each in build_denoiser().module.parameters())
    assert ours == sum(each.numel() for each in unet.parameters())
    return unet.to(memory_format=torch.channels_last) if arguments.channels_last else unet


def report(
    variants: Mapping[str, Measured],
    ceilings: Mapping[Precision, Measured],
    flops: int,
    arguments: argparse.Namespace,
) -> None:
    batch_size = arguments.batch_size
    tops = {each: 2 * 2048**3 / statistics.median(m.clock) / 1e9 for each, m in ceilings.items()}
    core_tops = {
        each: 2 * 2048**3 / statistics.median(m.processor) / 1e9 for each, m in ceilings.items()
    }
    rows = []
    for name, variant in variants.items():
        rate = batch_size / statistics.median(variant.clock)
        core_rate = batch_size / statistics.median(variant.processor)
        speed, core_speed = (3 * flops * each / 1e9 for each in (rate, core_rate))
        rows.append(
            {
                "variant": name,
                "images/s": round(rate, 1),
                "slowest, fastest": [round(batch_size / f(variant.clock), 1) for f in (max, min)],
                "images/core-s": round(core_rate, 1),
                "GFLOP/s": round(speed),
                "share": share(speed, variant.precision, tops),
                "core share": share(core_speed, variant.precision, core_tops),
            }
        )
    result = {
        "batch_size": batch_size,
        "threads": arguments.threads,
        "forward_gflop": round(flops / 1e9, 3),
        "ceiling_gflops": {each: round(top) for each, top in tops.items()},
        "ceiling_gflops_core": {each: round(top) for each, top in core_tops.items()},
        "rows": rows,
        "ratios": ratios(variants),
    }
    print(json.dumps(result, indent=2)) if arguments.json else show(result)


def share(speed: float, precision: Precision, tops: Mapping[Precision, float]) -> float | None:
    """Return the share of the ceiling; None in fp32, where convolutions beat matrix products."""
    return round(speed / tops[precision], 3) if "bf16" in precision else None


def ratios(variants: Mapping[str, Measured]) -> dict[str, list[float]]:
    """Return how many times as fast latelier's loop is: by the clock, by processor time.

    Each is the median over the rounds.
    """
    pairs = {
        "fp32 against fp32": ("32-true", "32-true"),
        "bf16 against bf16": ("bf16-mixed", "bf16-mixed"),
        "as configured (bf16) against the example's default (fp32)": ("bf16-mixed", "32-true"),
    }
    found = {}
    for label, (precision, other) in pairs.items():
        ours = variants.get(f"loop, latelier, {precision}")
        theirs = variants.get(f"loop, diffusers, {other}")
        if ours and theirs:
            found[label] = [
                round(statistics.median(b / a for a, b in zip(mine, their, strict=True)), 2)
                for mine, their in (
                    (ours.clock, theirs.clock),
                    (ours.processor, theirs.processor),
                )
            ]
    return found


def show(result: Mapping[str, Any]) -> None:
    title = f"batch {result['batch_size']}, {result['threads']} threads"
    table = Table(title=f"{title}, {result['forward_gflop']} GFLOP forward an image")
    for column in result["rows"][0]:
        table.add_column(column, justify="left" if column == "variant" else "right")
    for row in result["rows"]:
        table.add_row(*(format_cell(name, value) for name, value in row.items()))
    console = Console(width=130)
    console.print(table)
    for name, top in result["ceiling_gflops"].items():
        core = result["ceiling_gflops_core"][name]
        console.print(f"ceiling, {name}: {top} GFLOP/s, {core} a core-second")
    for name, (clock, processor) in result["ratios"].items():
        console.print(f"{name}: {clock} by the clock, {processor} by processor time")


def format_cell(column: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:.0%}" if column.endswith("share") else str(value)


if __name__ == "__main__":
    main()
