"""Distances of images by the features of a frozen network."""

from typing import Self

import torch
from torch import Tensor, nn

from latelier.metrics.scene_detector import SceneDetector, load_detector


class FrozenNetwork(nn.Module):
    """A network that always stays in evaluation mode, also as a part of a module in training."""

    def train(self, mode: bool = True) -> Self:  # noqa: ARG002
        """Stay in evaluation mode."""
        return super().train(False)

    def freeze(self) -> Self:
        """Return the network in float32, without gradients of its weights."""
        return self.float().requires_grad_(False).train()


class SceneFeatureDistance(FrozenNetwork):
    """The mean squared difference of features of the scene detector, of unit length each.

    It is LPIPS without learnt weights, over a small network that the repository has.
    """

    def __init__(self, detector: SceneDetector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor, references: Tensor) -> Tensor:
        """Return the distances, float32 (B,) in 0..4, of images (B, 3, H, W) in [-1, 1]."""
        x, y = (self.detector.extract_features(each) for each in (images, references))
        distances = [
            (to_unit_length(a) - to_unit_length(b)).square().sum(1).mean((1, 2))
            for a, b in zip(x, y, strict=True)
        ]
        return torch.stack(distances).mean(0)


def load_scene_features() -> SceneFeatureDistance:
    """Return the distance of the detector that ships."""
    return SceneFeatureDistance(load_detector()).freeze()


def to_unit_length(features: Tensor) -> Tensor:
    """Return features (B, C, h, w) as float32, divided by their length at each position."""
    features = features.float()
    return features / (torch.linalg.vector_norm(features, dim=1, keepdim=True) + 1e-10)
