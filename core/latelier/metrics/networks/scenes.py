"""The features of the scene detector, the network that ships."""

from torch import Tensor
from torch.nn.functional import avg_pool2d

from latelier.contracts.features import Features
from latelier.contracts.images.pixels import normalize
from latelier.data.emoji_scenes import SEMANTIC_CLASSES
from latelier.data.emoji_scenes.glyphs import GROUPS
from latelier.metrics.features import FrozenNetwork
from latelier.metrics.networks.checks import check_pictures, full_precision, hash_weights
from latelier.metrics.networks.configs import ScenesConfig
from latelier.metrics.networks.resizing import resize_bicubic_antialias
from latelier.metrics.scene_detector import FEATURES, SceneDetection, load_detector

_BACKGROUNDS = len(SEMANTIC_CLASSES) - len(GROUPS)
"""The first classes of semantic maps are those of backgrounds."""


class SceneFeatures(FrozenNetwork):
    """Features of emoji scenes: the mean of the features of all cells.

    The logits are those of the 1,167 drawings, for the cells that show objects together. With
    several objects in a picture they are those of a mixture.
    """

    name = "scene detector of latelier (for emoji scenes alone, not Inception)"
    width = FEATURES

    def __init__(self, config: ScenesConfig) -> None:
        super().__init__()
        self._config = config
        self.detector = load_detector()
        self.identity = (
            f"scene detector, weights {hash_weights(self.detector)}, "
            f"size {config.size or 'as it is'}"
        )

    def forward(self, images: Tensor) -> Features:
        """Return features (B, 192) and logits (B, 1167) of pictures uint8 (B, 3, H, W).

        Raises:
            InvalidInputError: the pictures have another shape or type, or sides that are no
                multiples of 16 where they keep their size.
        """
        check_pictures(images, "the network 'scenes'")
        self.to(images.device)
        size = self._config.size
        levels = resize_bicubic_antialias(images, size, size) if size else images
        with full_precision():
            detection = self.detector(normalize(levels))
        objects = _pool_objects(detection)
        return Features(detection.cells.mean((2, 3)), self.detector.name(objects))


def _pool_objects(detection: SceneDetection) -> Tensor:
    """Return the mean features (B, 192) of cells, by their probability of showing an object."""
    background = detection.semantics.softmax(1)[:, :_BACKGROUNDS].sum(1, keepdim=True)
    weight = 1 - avg_pool2d(background, 2)  # (B, 1, 2h, 2w) -> (B, 1, h, w)
    return (weight * detection.cells).sum((2, 3)) / weight.sum((2, 3)).clamp(min=1e-6)
