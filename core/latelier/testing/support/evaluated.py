"""Pictures that measures and feature networks are tested with, and records in memory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.features import Features, FeatureStatistics
from latelier.contracts.measures import EvaluatedPictures


def draw_pictures(count: int, size: tuple[int, int], seed: int = 0) -> Tensor:
    """Return random pictures with large and small structures, uint8 (B, 3, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 4, 4, generator=generator)
    noise = torch.rand(count, 3, *size, generator=generator)
    smooth = interpolate(coarse, size, mode="bilinear", align_corners=False)
    return (255 * (0.8 * smooth + 0.2 * noise)).to(torch.uint8)


def draw_features(count: int, width: int, classes: int, seed: int = 0) -> Features:
    """Return random features with logits."""
    generator = torch.Generator().manual_seed(seed)
    return Features(
        torch.randn(count, width, generator=generator),
        torch.randn(count, classes, generator=generator),
    )


def take_rows(pictures: EvaluatedPictures, rows: slice) -> EvaluatedPictures:
    """Return some of the pictures, in memory of their own."""
    features = pictures.features
    return EvaluatedPictures(
        pictures.images[rows].clone(),
        pictures.samples[rows],
        None if pictures.originals is None else pictures.originals[rows].clone(),
        None
        if features is None
        else Features(
            features.vectors[rows].clone(),
            None if features.logits is None else features.logits[rows].clone(),
        ),
    )


@dataclass(frozen=True, eq=False)
class MemoryRecords:
    """Columns in memory.

    Attributes:
        columns: name -> (N, ...).
        count: N.
        chunk_size: pictures of a chunk.
        network: name of the network of the features.
    """

    columns: Mapping[str, Tensor]
    count: int
    chunk_size: int
    network: str = "random features"

    def column(self, name: str, /) -> Tensor:
        """Return a column."""
        if name not in self.columns:
            raise InvalidInputError(f"there is no column '{name}', only {', '.join(self.columns)}")
        return self.columns[name]

    def chunks(self, *names: str) -> Iterator[tuple[Tensor, ...]]:
        """Yield the columns a chunk at a time."""
        for start in range(0, self.count, self.chunk_size):
            yield tuple(self.column(name)[start : start + self.chunk_size] for name in names)


@dataclass(frozen=True, eq=False)
class MemoryReference:
    """Reference pictures of which all features are known.

    Attributes:
        features: float32 (N, D).
        name: of the pictures.
    """

    features: Tensor
    name: str = "random pictures"

    @property
    def count(self) -> int:
        """Number of pictures."""
        return len(self.features)

    @property
    def statistics(self) -> FeatureStatistics:
        """Mean and covariance."""
        return FeatureStatistics.from_features(self.features)
