"""Supervised training of the scene classifier on rendered scenes."""

import logging
import time
from collections.abc import Iterator, Sequence

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn.functional import cross_entropy

from latelier.contracts.frozen import Frozen
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.classifier.accuracy import accuracy
from latelier.evaluation.classifier.augment import augment
from latelier.evaluation.labelled_scenes import NO_COLOR, LabelledScenes, render
from latelier.evaluation.learning_rate import lr_factor
from latelier.metrics.scene_classifier import Prediction, SceneClassifier

_log = logging.getLogger(__name__)


class ClassifierTraining(Frozen):
    """Hyperparameters; the defaults made the weights in benchmarks/classifier."""

    seed: int = Field(
        default=7_100_000, ge=0, description="seed of scenes, weights and their order"
    )
    scenes: int = Field(default=40_000, ge=1, description="number of rendered scenes")
    epochs: int = Field(default=4, ge=1, description="passes over the scenes")
    batch_size: int = Field(
        default=128,
        ge=32,
        description="scenes of a step; at least 32, so that some have a background colour",
    )
    lr: float = Field(default=4e-3, gt=0, description="peak learning rate of AdamW")
    weight_decay: float = Field(default=0.02, ge=0)
    warmup: int = Field(default=100, ge=1, description="steps of linear warm-up before the cosine")
    background_weight: float = Field(
        default=1.0, ge=0, description="weight of each background loss"
    )
    smoothing: float = Field(
        default=0.05, ge=0, lt=1, description="label smoothing of the glyph loss"
    )
    workers: int = Field(default=2, ge=0, description="processes that render scenes")
    log_every: int = Field(default=50, ge=1, description="logging interval in steps")

    @model_validator(mode="after")
    def _check_scenes(self) -> "ClassifierTraining":
        if self.scenes < self.batch_size:
            raise ValueError(f"{self.scenes} scenes do not fill a batch of {self.batch_size}")
        return self

    @property
    def steps(self) -> int:
        """Optimizer steps of the run; an epoch drops its last, incomplete batch."""
        return self.scenes // self.batch_size * self.epochs


def train_classifier(config: ClassifierTraining) -> SceneClassifier:
    """Train a classifier on the scenes of `config.seed`, and log the progress."""
    start = time.monotonic()
    scenes = render(EmojiScenes(seed=config.seed, length=config.scenes), config.workers)
    _log.info("rendered %d scenes in %.0f s", config.scenes, time.monotonic() - start)
    classifier = _init_classifier(config.seed)
    optimizer = torch.optim.AdamW(
        classifier.parameters(), lr=config.lr, weight_decay=config.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: lr_factor(step, config.steps, config.warmup)
    )
    generator = torch.Generator().manual_seed(config.seed)
    metrics: list[dict[str, float]] = []
    for step, rows in enumerate(_batches(config, generator), start=1):
        metrics.append(_backward(classifier, _select(scenes, rows), config, generator))
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        if step % config.log_every == 0:
            means = _format_means(metrics[-config.log_every :])
            _log.info("step %d/%d %s %.0f s", step, config.steps, means, time.monotonic() - start)
    return classifier.eval().requires_grad_(False)


def _init_classifier(seed: int) -> SceneClassifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = SceneClassifier()
    classifier.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return classifier


def _batches(config: ClassifierTraining, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield the scene indices of each step, shuffled in each epoch."""
    for _ in range(config.epochs):
        order = torch.randperm(config.scenes, generator=generator)
        used = config.scenes // config.batch_size * config.batch_size
        yield from torch.split(order[:used], config.batch_size)


def _backward(
    classifier: SceneClassifier,
    batch: LabelledScenes,
    config: ClassifierTraining,
    generator: torch.Generator,
) -> dict[str, float]:
    """Accumulate the gradients of a batch; return its loss and accuracy."""
    images = augment(batch.images(), generator).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        logits = classifier(images)
    prediction = Prediction(logits.glyph.float(), logits.kind.float(), logits.color.float())
    glyph = cross_entropy(prediction.glyph, batch.glyph, label_smoothing=config.smoothing)
    kind = cross_entropy(prediction.kind, batch.kind)
    color = cross_entropy(prediction.color, batch.color, ignore_index=NO_COLOR)
    loss = glyph + config.background_weight * (kind + color)
    loss.backward()  # type: ignore[no-untyped-call]
    return {"loss": float(loss.detach()), **accuracy(prediction, batch)}


def _select(scenes: LabelledScenes, rows: Tensor) -> LabelledScenes:
    return LabelledScenes(
        scenes.pictures[rows], scenes.glyph[rows], scenes.kind[rows], scenes.color[rows]
    )


def _format_means(metrics: Sequence[dict[str, float]]) -> str:
    means = {name: sum(each[name] for each in metrics) / len(metrics) for name in metrics[0]}
    return " ".join(f"{name} {value:.3f}" for name, value in means.items())
