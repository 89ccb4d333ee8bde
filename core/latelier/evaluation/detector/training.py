"""Supervised training of the scene detector on rendered scenes."""

import logging
import math
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import cross_entropy, smooth_l1_loss
from torch.utils.data import DataLoader, SequentialSampler, Subset

from latelier.contracts.errors import ModelFileError
from latelier.contracts.frozen import Frozen
from latelier.contracts.images.pixels import normalize
from latelier.data.emoji_scenes import SceneConfig
from latelier.evaluation.detector.labels import NO_LABEL, LabelledSceneBatches, SceneLabels
from latelier.evaluation.detector.learning_rate import lr_factor
from latelier.io.atomic import write_bytes
from latelier.metrics.scene_detector import SceneDetection, SceneDetector

_log = logging.getLogger(__name__)

_BOX_UNIT = 10.0
"""Boxes are compared in tenths of the picture."""

_TINT = 0.03
_NOISE = 0.03
"""Greatest shift of a colour channel and standard deviation of noise, for pictures in [-1, 1]."""

SCENES = (
    SceneConfig(size=128, vocabulary="all", objects=(2, 3), scale=(0.5, 0.95), spread=0.25),
    SceneConfig(size=128, vocabulary="all", scale=(0.5, 0.95), spread=0.25),
    SceneConfig(size=64, vocabulary="all"),
)
"""What the detector learns from: sharp scenes of the whole atlas, of two sizes."""

OptimizerFactory = Callable[[SceneDetector], torch.optim.Optimizer]


class DetectorTraining(Frozen):
    """Hyperparameters; the defaults take about 25 minutes of one core."""

    seed: int = Field(default=7_100_000, ge=0, description="seed of scenes and weights")
    scenes: tuple[SceneConfig, ...] = Field(
        default=SCENES, min_length=1, description="scenes of the batches, in turn"
    )
    steps: int = Field(default=4000, ge=1, description="optimizer steps")
    batch_size: int = Field(default=48, ge=2, description="scenes of a step")
    lr: float = Field(default=2e-2, gt=0, description="peak learning rate of the optimizer")
    warmup: int = Field(default=100, ge=1, description="steps of linear warm-up before the cosine")
    smoothing: float = Field(
        default=0.05, ge=0, lt=1, description="label smoothing of the loss of drawings"
    )
    workers: int = Field(default=1, ge=0, description="processes that render scenes")
    log_every: int = Field(default=100, ge=1, description="logging interval in steps")
    save_every: int = Field(default=200, ge=1, description="steps between two checkpoints")


def train_detector(
    config: DetectorTraining,
    make_optimizer: OptimizerFactory,
    checkpoint: Path,
    seconds: float = math.inf,
) -> SceneDetector | None:
    """Train a detector from its checkpoint, if there is one, and log the progress.

    Args:
        config: hyperparameters; those of the checkpoint must be the same.
        make_optimizer: makes the optimizer of the detector. Its learning rate is that of `config`.
        checkpoint: file of a run that may go on. It is deleted by nobody.
        seconds: stop, with a checkpoint, after this time.

    Returns:
        The detector, or None if the time ended before the steps.

    Raises:
        ModelFileError: the checkpoint is damaged, or of other hyperparameters.
    """
    detector, optimizer, done = _begin(config, make_optimizer, checkpoint)
    start = time.monotonic()
    sums: dict[str, float] = {}
    for step, batch in enumerate(_batches(config, done), start=done + 1):
        for group in optimizer.param_groups:
            group["lr"] = config.lr * lr_factor(step - 1, config.steps, config.warmup)
        losses = _backward(detector, batch, config, step)
        optimizer.step()
        optimizer.zero_grad()
        sums = {name: sums.get(name, 0.0) + value for name, value in losses.items()}
        if step % config.log_every == 0:
            means = " ".join(f"{name} {sums[name] / config.log_every:.3f}" for name in sums)
            _log.info("step %d/%d %s", step, config.steps, means)
            sums = {}
        is_over = time.monotonic() - start > seconds
        if step % config.save_every == 0 or step == config.steps or is_over:
            _save(config, checkpoint, detector, optimizer, step)
        if is_over and step < config.steps:
            return None
    return detector.eval().requires_grad_(False)


def _begin(
    config: DetectorTraining, make_optimizer: OptimizerFactory, checkpoint: Path
) -> tuple[SceneDetector, torch.optim.Optimizer, int]:
    """Return the detector, its optimizer and the number of steps that are done."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        detector = SceneDetector()
    detector.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = make_optimizer(detector)
    if not checkpoint.is_file():
        return detector, optimizer, 0
    try:
        state = torch.load(checkpoint, weights_only=True)
        is_same = state["config"] == config.model_dump_json()
        detector.load_state_dict(state["detector"])
        optimizer.load_state_dict(state["optimizer"])
    except (OSError, RuntimeError, KeyError, ValueError, EOFError) as error:
        raise ModelFileError(f"{checkpoint}: damaged; delete it to start again") from error
    if not is_same:
        raise ModelFileError(
            f"{checkpoint}: is of a run with other hyperparameters; delete it to start again"
        )
    return detector, optimizer, state["step"]


def _save(
    config: DetectorTraining,
    checkpoint: Path,
    detector: SceneDetector,
    optimizer: torch.optim.Optimizer,
    step: int,
) -> None:
    data = BytesIO()
    state = {
        "config": config.model_dump_json(),
        "detector": detector.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
    }
    torch.save(state, data)
    write_bytes(checkpoint, data.getvalue())


def _batches(config: DetectorTraining, done: int) -> Iterator[SceneLabels]:
    """Yield the batches of all steps that are left."""
    scenes = LabelledSceneBatches(config.scenes, config.seed, config.batch_size)
    left = Subset(scenes, range(done * config.batch_size, config.steps * config.batch_size))
    yield from DataLoader(
        left,
        config.batch_size,
        sampler=SequentialSampler(left),
        num_workers=config.workers,
        generator=torch.Generator(),  # without it the global random state would be used
    )


def _backward(
    detector: SceneDetector, batch: SceneLabels, config: DetectorTraining, step: int
) -> dict[str, float]:
    """Accumulate the gradients of a batch; return its losses."""
    generator = torch.Generator().manual_seed(config.seed + step)
    images = disturb(normalize(batch["image"]), generator)
    with torch.autocast("cpu", torch.bfloat16):
        detection = detector(images.contiguous(memory_format=torch.channels_last))
    losses = detector_losses(detector, detection, batch, config.smoothing)
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    return {name: float(loss.detach()) for name, loss in losses.items()}


def disturb(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return pictures (B, 3, H, W), each with a little tint and noise; they stay sharp."""
    tint = _TINT * (2 * torch.rand(len(images), 3, 1, 1, generator=generator) - 1)
    strength = _NOISE * torch.rand(len(images), 1, 1, 1, generator=generator)
    noise = torch.randn(images.shape, generator=generator)
    return (images + tint + strength * noise).clamp(-1, 1)


def detector_losses(
    detector: SceneDetector,
    detection: SceneDetection,
    labels: SceneLabels,
    smoothing: float = 0.0,
) -> dict[str, Tensor]:
    """Return the losses by name; all objects of a batch count the same."""
    shown = labels["glyph"] != NO_LABEL
    weight = labels["weight"][shown]
    features, glyphs = pool_objects(detection.cells, labels)
    glyph = cross_entropy(detector.name(features), glyphs, label_smoothing=smoothing)
    box = smooth_l1_loss(
        _BOX_UNIT * detection.box.permute(0, 2, 3, 1)[shown].float(),
        _BOX_UNIT * labels["box"].permute(0, 2, 3, 1)[shown],
        reduction="none",
    ).mean(1)
    return {
        "glyph": glyph,
        "box": (weight * box).sum() / len(glyphs),
        "semantics": cross_entropy(detection.semantics.float(), labels["semantics"]),
        "kind": cross_entropy(detection.kind.float(), labels["kind"]),
        "place": _known_cross_entropy(detection.place, labels["place"]),
        "color": _known_cross_entropy(detection.color, labels["color"]),
        "second_color": _known_cross_entropy(detection.second_color, labels["second_color"]),
    }


def pool_objects(cells: Tensor, labels: SceneLabels) -> tuple[Tensor, Tensor]:
    """Return the mean features float32 (N, C) of the objects' cells, and their drawings (N,).

    Args:
        cells: (B, C, h, w).
        labels: of the same pictures, each with one object at least.
    """
    shown = labels["glyph"] != NO_LABEL
    picture = torch.arange(len(shown))[:, None, None].expand_as(shown)[shown]
    pairs = torch.stack([picture, labels["glyph"][shown]])
    objects, owner = pairs.unique(dim=1, return_inverse=True)  # type: ignore[no-untyped-call]
    weighted = labels["weight"][shown][:, None] * cells.permute(0, 2, 3, 1)[shown].float()
    pooled = weighted.new_zeros(objects.shape[1], cells.shape[1]).index_add(0, owner, weighted)
    return pooled, objects[1]


def _known_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over the pictures that have a label; 0 if none has."""
    total = cross_entropy(logits.float(), labels, ignore_index=NO_LABEL, reduction="sum")
    return total / (labels != NO_LABEL).sum().clamp(min=1)
