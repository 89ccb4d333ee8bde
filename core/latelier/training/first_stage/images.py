"""Images of a training's data, in batches, beside those that the loop loads."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from latelier.training.configs.first_stage import FirstStageTraining
from latelier.training.data.datasets import (
    collate,
    make_held_out_samples,
    make_training_samples,
)

_BATCH = 64
"""Images that are in memory at once."""


def load_held_out(config: FirstStageTraining, count: int, device: torch.device) -> Iterator[Tensor]:
    """Yield held-out images (B, 3, H, W), `count` or as many as there are."""
    samples = make_held_out_samples(config, count)
    return _load(samples, len(samples), device)


def count_held_out(config: FirstStageTraining, count: int) -> int:
    """Return the number of images that `load_held_out` yields."""
    return len(make_held_out_samples(config, count))


def load_training(config: FirstStageTraining, count: int, device: torch.device) -> Iterator[Tensor]:
    """Yield the first training images (B, 3, H, W), `count` or as many as there are."""
    samples = make_training_samples(config)
    return _load(samples, min(count, len(samples)), device)


def _load(samples: Dataset[Any], count: int, device: torch.device) -> Iterator[Tensor]:
    """Yield the first `count` images in batches of one size each."""
    batch = list[dict[str, Any]]()
    for position in range(count):
        sample = samples[position]
        if batch and (len(batch) == _BATCH or sample["image"].shape != batch[0]["image"].shape):
            yield collate(batch)["image"].to(device)
            batch = []
        batch.append(sample)
    if batch:
        yield collate(batch)["image"].to(device)
