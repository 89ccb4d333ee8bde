"""The figures of a measure as a run computes them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from latelier.contracts.features import Features
from latelier.contracts.measures import EvaluatedPictures, Figure, Measure
from latelier.evaluation.records.memory import MemoryRecords
from latelier.testing.support.evaluated import MemoryReference

Compute = Callable[..., dict[str, Figure]]


@pytest.fixture
def compute() -> Compute:
    """Compute the figures of a measure of features, by name."""

    def run(
        measure: Measure,
        columns: Mapping[str, Tensor],
        reference: Tensor | None = None,
        network: str = "",
        chunk: int = 7,
    ) -> dict[str, Figure]:
        known = None if reference is None else MemoryReference(reference, "reference")
        records = MemoryRecords(columns, len(next(iter(columns.values()))), chunk, network)
        figures = measure.compute(records, known)
        return {figure.name: figure for figure in figures}

    return run


@pytest.fixture
def measure_pictures(compute: Compute) -> Compute:
    """Record pictures in batches of 2, and compute the figures of a measure, by name."""

    def run(
        measure: Measure,
        images: Tensor,
        originals: Tensor | None = None,
        samples: Sequence[Mapping[str, Any]] | None = None,
        logits: Tensor | None = None,
        size: int = 2,
    ) -> dict[str, Figure]:
        batches = []
        for first in range(0, len(images), size):
            own = slice(first, first + size)
            pictures = EvaluatedPictures(
                images[own],
                samples[own] if samples is not None else [{}] * len(images[own]),
                None if originals is None else originals[own],
                None if logits is None else Features(torch.zeros(len(logits[own]), 1), logits[own]),
            )
            batches.append(measure.record(pictures))
        return compute(
            measure, {name: torch.cat([each[name] for each in batches]) for name in batches[0]}
        )

    return run


@pytest.fixture
def levels() -> Callable[..., Tensor]:
    """Draw pictures of 8 bits."""

    def draw(count: int = 5, side: int = 16, seed: int = 0) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(256, (count, 3, side, side), generator=generator, dtype=torch.uint8)

    return draw
