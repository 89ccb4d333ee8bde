"""A step of training: the loop of `latelier train` against that of diffusers' example.

The network is that of configs/emoji-scenes/denoiser.yaml without its classes, which the example
has not; latents and text features are in memory.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, redirect_stderr
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import torch
import yaml
from torch import Tensor
from torch.utils.data import Dataset

from benchmarks.cases.models import require_diffusers
from benchmarks.cases.training_example import start_example
from benchmarks.harness.case import Case, Setup, SkipError, Variant
from benchmarks.harness.goal import Goal, speedup
from benchmarks.harness.processes import ROOT
from benchmarks.harness.timing import timed
from latelier.checkpoints.component import Component, new_component
from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart, Stream
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.configs import ConditionerConfig, OutputSpec
from latelier.contracts.frozen import Frozen
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.kernel.default import default_atelier
from latelier.training.components import load_first_stage
from latelier.training.configs.components import InputSource
from latelier.training.configs.denoiser import DenoiserTraining
from latelier.training.configs.optimization import Precision
from latelier.training.evaluator import Evaluator
from latelier.training.loop.batches import load_batches
from latelier.training.loop.monitor import Monitor
from latelier.training.loop.plan import TrainingPlan
from latelier.training.loop.run import open_run
from latelier.training.loop.state import TrainingState
from latelier.training.prediction.objective import PredictionObjective
from latelier.training.prediction.parts import PredictionParts

RECIPE = ROOT / "configs" / "emoji-scenes" / "denoiser.yaml"
LATENT, TOKENS, WIDTH, BATCH = (6, 16, 16), 32, 128, 32
STORED = 256
"""Samples in memory, which repeat."""

CALLS = 8
"""Steps in a sample."""

PRECISIONS: Mapping[str, Precision] = {"fp32": "32-true", "bf16": "bf16-mixed"}


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


class StoredTextConfig(ConditionerConfig):
    """The configuration of `StoredText`."""

    def outputs(self) -> OutputSpec:
        """Return the stream of features."""
        return OutputSpec(stream=WIDTH)


class StoredText(Conditioner[StoredTextConfig]):
    """Passes stored features on as tokens."""

    Input: ClassVar[type[Features]] = Features

    def __init__(self) -> None:
        super().__init__(StoredTextConfig())

    def prepare(
        self, inputs: Sequence[Features], _geometry: PictureGeometry, /
    ) -> dict[str, Tensor]:
        """Return the features (B, N, D)."""
        return {"stored_tokens": torch.stack([each.features for each in inputs])}

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the stream (B, N, D)."""
        return ConditionPart(Stream(batch["stored_tokens"]))

    def null(self, rows: int, _geometry: PictureGeometry, /) -> ConditionPart:
        """Return tokens of zeros."""
        return ConditionPart(Stream(torch.zeros(rows, TOKENS, WIDTH)))


def variants(setup: Setup, /) -> Mapping[str, Variant]:
    """Return the steps of both loops in each precision."""
    require_diffusers()
    try:
        import accelerate  # noqa: F401
        import lightning_fabric  # noqa: F401
    except ImportError as error:
        raise SkipError(f"{error.name} is not installed") from None
    torch.manual_seed(0)
    out = Path(setup.stack.enter_context(TemporaryDirectory(prefix="benchmarks-")))
    samples = [
        {"latents": torch.randn(LATENT), "stored_tokens": torch.randn(TOKENS, WIDTH)}
        for _ in range(STORED)
    ]
    parameters = sum(each.numel() for each in build_denoiser().module.parameters())
    found = {}
    for name, precision in PRECISIONS.items():
        config = read_recipe(out / name, precision)
        ours = start(make_plan(config, samples), setup.stack)
        theirs = start_example(samples, BATCH, "bf16" in precision, parameters)
        found[f"diffusers' example, {name}"] = timed(theirs, CALLS)
        found[f"latelier, {name}"] = timed(ours, CALLS)
    return found


def read_recipe(out: Path, precision: Precision) -> DenoiserTraining:
    """Return the configuration of a training that does not end while it is measured."""
    values = {
        **yaml.safe_load(RECIPE.read_text()),
        "out": out,
        "first_stage": "emoji-scenes",
        "steps": 1_000_000,
        "batch_size": BATCH,
        "workers": 0,
        "log_every": 50,
        "fit_samples": 2000,
        "validation": {"samples": 1},
        "precision": precision,
    }
    return DenoiserTraining.model_validate(values)


def make_plan(config: DenoiserTraining, samples: Sequence[Mapping[str, Any]]) -> TrainingPlan:
    """Return the training of the denoiser alone, with stored text features."""
    first_stage = load_first_stage("first_stage", "emoji-scenes", default_atelier())
    text = {"text": Component("conditioner", "benchmark/stored", "0", StoredText())}
    denoiser = build_denoiser()
    parts = PredictionParts(
        first_stage=first_stage,
        denoiser=denoiser,
        conditioners=text,
        process=RectifiedFlow.model_validate({}),
        sources={"text": InputSource(source="stored_tokens", drop=0.1)},
        trained={"denoiser": denoiser.module},
        fixed={"first_stage": first_stage, "conditioners.text": text["text"]},
        constant=text,
        origin="stored",
    )
    evaluator = Evaluator(PredictionObjective(parts, config))
    return TrainingPlan(config, evaluator, StoredSamples(samples))


def build_denoiser() -> Component:
    """Return the denoiser of the recipe, without classes."""
    choice = yaml.safe_load(RECIPE.read_text())["denoiser"]
    fields = {**choice["config"], "vectors": {}}
    return new_component("denoiser", choice["id"], fields, default_atelier())


def start(plan: TrainingPlan, stack: ExitStack) -> Callable[[], None]:
    """Return what takes the next step of a training."""
    with redirect_stderr(StringIO()):
        steps = take_steps(plan)
        next(steps)
    stack.callback(steps.close)
    return lambda: next(steps)


def take_steps(plan: TrainingPlan) -> Generator[None, None, None]:
    """Take the steps of a training as the loop does, with its log and progress."""
    with open_run(plan.config, resume=False) as run:
        plan.initialize(plan.config.out, True)
        state = TrainingState(plan.objective, run)
        monitor = Monitor(plan, run, default_atelier(), 0)
        with monitor.progress:
            for batches in monitor.progress.measure_wait(load_batches(plan, run, 0)):
                monitor.observe_step(state.step, state.take_step(batches))
                yield


TRAINING = Case(
    "training-step",
    f"A step of training, 4 M parameters, {BATCH} images",
    variants,
    (
        Goal("speed in bf16", speedup("latelier, bf16", "diffusers' example, bf16")),
        Goal("speed in fp32", speedup("latelier, fp32", "diffusers' example, fp32")),
        Goal("speed, both by default", speedup("latelier, bf16", "diffusers' example, fp32")),
    ),
)
