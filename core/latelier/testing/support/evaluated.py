"""Pictures that measures and feature networks are tested with, and a reference in memory."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

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
