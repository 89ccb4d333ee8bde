"""Training the judge: plain supervised learning on rendered scenes."""

import logging
import math
import time
from collections.abc import Iterator, Sequence

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn.functional import cross_entropy

from latelier.contracts.frozen import Frozen
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.classifier.accuracy import accuracy
from latelier.evaluation.classifier.augment import softened
from latelier.evaluation.classifier.model import Judge, Verdict
from latelier.evaluation.labelled_scenes import NO_COLOR, LabelledScenes, render

_log = logging.getLogger(__name__)


class JudgeTraining(Frozen):
    """How a judge is trained; the defaults are those of the judge in benchmarks/judge."""

    seed: int = Field(
        default=7_100_000, ge=0, description="of the scenes, the weights and the order"
    )
    scenes: int = Field(
        default=40_000, ge=1, description="rendered scenes, each seen in every epoch"
    )
    epochs: int = Field(default=4, ge=1, description="times that each scene is seen, softened anew")
    batch_size: int = Field(
        default=128, ge=32, description="scenes of a step; of fewer than 32, all may be places"
    )
    lr: float = Field(default=4e-3, gt=0, description="highest learning rate of AdamW")
    weight_decay: float = Field(default=0.02, ge=0)
    warmup: int = Field(default=100, ge=1, description="steps of linear warm-up before the cosine")
    background_weight: float = Field(
        default=1.0, ge=0, description="weight of each background loss"
    )
    smoothing: float = Field(
        default=0.05, ge=0, lt=1, description="label smoothing of the glyph loss"
    )
    workers: int = Field(default=2, ge=0, description="processes that render beside the main one")
    log_every: int = Field(default=50, ge=1, description="steps between two lines of the log")

    @model_validator(mode="after")
    def _fills_a_batch(self) -> "JudgeTraining":
        if self.scenes < self.batch_size:
            raise ValueError(f"{self.scenes} scenes do not fill a batch of {self.batch_size}")
        return self

    @property
    def steps(self) -> int:
        """Optimizer steps of the run; the scenes left over in an epoch are not used in it."""
        return self.scenes // self.batch_size * self.epochs


def train_judge(config: JudgeTraining) -> Judge:
    """Train a judge on scenes of `config.seed`; progress goes to the log."""
    began = time.monotonic()
    scenes = render(EmojiScenes(seed=config.seed, length=config.scenes), config.workers)
    _log.info("rendered %d scenes in %.0f s", config.scenes, time.monotonic() - began)
    judge = _untrained(config.seed)
    optimizer = torch.optim.AdamW(
        judge.parameters(), lr=config.lr, weight_decay=config.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _share_of_lr(step, config))
    generator = torch.Generator().manual_seed(config.seed)
    figures: list[dict[str, float]] = []
    for step, rows in enumerate(_batches(config, generator), start=1):
        figures.append(_train_step(judge, _take(scenes, rows), config, generator))
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        if step % config.log_every == 0:
            shown = _averages(figures[-config.log_every :])
            _log.info("step %d/%d %s %.0f s", step, config.steps, shown, time.monotonic() - began)
    return judge.eval().requires_grad_(False)


def _untrained(seed: int) -> Judge:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        judge = Judge()
    judge.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return judge


def _batches(config: JudgeTraining, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield the scenes of each step, in a new order each epoch."""
    for _ in range(config.epochs):
        order = torch.randperm(config.scenes, generator=generator)
        whole = config.scenes // config.batch_size * config.batch_size
        yield from torch.split(order[:whole], config.batch_size)


def _train_step(
    judge: Judge, batch: LabelledScenes, config: JudgeTraining, generator: torch.Generator
) -> dict[str, float]:
    """Add the gradients of one batch; return its loss and its accuracies."""
    images = softened(batch.images(), generator).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        verdict = judge(images)
    verdict = Verdict(verdict.glyph.float(), verdict.kind.float(), verdict.color.float())
    glyph = cross_entropy(verdict.glyph, batch.glyph, label_smoothing=config.smoothing)
    kind = cross_entropy(verdict.kind, batch.kind)
    color = cross_entropy(verdict.color, batch.color, ignore_index=NO_COLOR)
    loss = glyph + config.background_weight * (kind + color)
    loss.backward()  # type: ignore[no-untyped-call]
    return {"loss": float(loss.detach()), **accuracy(verdict, batch)}


def _take(scenes: LabelledScenes, rows: Tensor) -> LabelledScenes:
    return LabelledScenes(
        scenes.pictures[rows], scenes.glyph[rows], scenes.kind[rows], scenes.color[rows]
    )


def _averages(figures: Sequence[dict[str, float]]) -> str:
    means = {name: sum(each[name] for each in figures) / len(figures) for name in figures[0]}
    return " ".join(f"{name} {value:.3f}" for name, value in means.items())


def _share_of_lr(step: int, config: JudgeTraining) -> float:
    """Rise linearly during the warm-up, then fall to 0 along a cosine."""
    if step < config.warmup:
        return (step + 1) / config.warmup
    done = (step - config.warmup) / max(1, config.steps - config.warmup)
    return 0.5 * (1 + math.cos(math.pi * done))
