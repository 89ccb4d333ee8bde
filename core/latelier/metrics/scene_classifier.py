"""A classifier of emoji scenes: the glyph, the kind of background and its dominant colour.

It is trained on rendered scenes only, never on generated pictures, so it cannot have learnt the
faults of the model that it measures.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from latelier.contracts.errors import InvalidInputError
from latelier.data.emoji_scenes import BACKGROUND_KINDS, PALETTE, vocabulary
from latelier.metrics.small_network import Convolution, Residual, load_network

GLYPHS = vocabulary("basic")
"""The glyphs that the classifier knows; the position of a glyph is its class id."""

CLASSIFIER_WEIGHTS = "classifier.safetensors"

SIDE = 64
"""Side in pixels of the pictures that it takes."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """Logits for B pictures.

    Attributes:
        glyph: (B, 512), in the order of `GLYPHS`.
        kind: (B, 6), in the order of `BACKGROUND_KINDS`.
        color: (B, 16), the background's dominant colour, in the order of `PALETTE`.
    """

    glyph: Tensor
    kind: Tensor
    color: Tensor


class SceneClassifier(nn.Module):
    """A small residual network (arXiv:1512.03385): a head for the glyph, one for the background."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Convolution(3, 32, kernel=5, stride=2)
        self.body = nn.Sequential(
            Convolution(32, 64, stride=2),
            Residual(64),
            Convolution(64, 128, stride=2),
            Residual(128),
        )
        self.top = Convolution(128, 224, stride=2)
        self.glyph = nn.Linear(224, len(GLYPHS))
        # The order of a gradient's colours is its direction: this head needs positions, so no mean.
        self.surround = Convolution(128, 48, stride=2)
        self.background = nn.Linear(48 * 4 * 4, len(BACKGROUND_KINDS) + len(PALETTE))

    def forward(self, images: Tensor) -> Prediction:
        """Classify pictures (B, 3, 64, 64) in [-1, 1].

        Raises:
            InvalidInputError: the pictures have another shape.
        """
        if images.shape[1:] != (3, SIDE, SIDE):
            raise InvalidInputError(
                f"the classifier expects pictures (B, 3, {SIDE}, {SIDE}), got {tuple(images.shape)}"
            )
        features = self.body(self.stem(images))  # (B, 128, 8, 8)
        glyph = self.glyph(self.top(features).mean((2, 3)))
        background = self.background(self.surround(features).flatten(1))
        kinds = len(BACKGROUND_KINDS)
        return Prediction(glyph, kind=background[:, :kinds], color=background[:, kinds:])

    def extract_features(self, images: Tensor) -> list[Tensor]:
        """Return the features (B, C, h, w) at 1/2, 1/4, 1/8 and 1/16 of the sides.

        Args:
            images: (B, 3, H, W) in [-1, 1], of any size.
        """
        stem = self.stem(images)
        middle = self.body[:2](stem)
        body = self.body[2:](middle)
        return [stem, middle, body, self.top(body)]

    @torch.no_grad()
    def predict(self, images: Tensor, batch_size: int = 256) -> Prediction:
        """Classify any number of pictures (N, 3, 64, 64) in [-1, 1], `batch_size` at a time."""
        parts = [self(part) for part in torch.split(images, batch_size)]
        return Prediction(
            glyph=torch.cat([part.glyph for part in parts]),
            kind=torch.cat([part.kind for part in parts]),
            color=torch.cat([part.color for part in parts]),
        )


def load_classifier(path: Path) -> SceneClassifier:
    """Return a classifier with the weights of a file of `save_network`, in evaluation mode.

    Raises:
        ModelFileError: the file is missing, damaged or of another module.
    """
    return load_network(path, SceneClassifier)
