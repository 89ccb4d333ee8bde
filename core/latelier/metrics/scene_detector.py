"""A detector of emoji scenes: which drawings they show and where, the semantic map, the background.

It is trained on sharp rendered scenes only, never on generated pictures, so it cannot have learnt
the faults of the model that it measures.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from latelier.contracts.errors import InvalidInputError
from latelier.data.emoji_scenes import BACKGROUND_KINDS, PALETTE, SEMANTIC_CLASSES, all_glyphs
from latelier.data.emoji_scenes.places import PLACES
from latelier.metrics.small_network import Convolution, Residual, load_network

DETECTOR_WEIGHTS = "detector.safetensors"

SHIPPED_DETECTOR = Path(__file__).parent / "weights" / DETECTOR_WEIGHTS
"""The weights in the package; `benchmarks/detector` has the record of their training."""

CELL = 8
"""Side in pixels of a cell, whose object the detector places."""

FEATURES = 192
"""Width of a cell's features."""

_UNIT = 16
"""A picture's sides are multiples of it."""

_REACH = 32
"""Unit in pixels of the distances from a cell's centre to the sides of its box."""

_BACKGROUND_PARTS = (len(BACKGROUND_KINDS), len(PLACES), len(PALETTE), len(PALETTE))
_REGIONS = 4
"""The background is read from 4 x 4 regions: the order of a gradient's colours is its direction."""


@dataclass(frozen=True, eq=False)
class SceneDetection:
    """Logits for B pictures (H, W) of h x w cells, each of `CELL` pixels.

    Attributes:
        cells: (B, 192, h, w), features of the cells. `SceneDetector.name` tells which drawing of
            the atlas an object shows, from the mean features of its cells.
        box: (B, 4, h, w), x0, y0, x1, y1 of the object that the cell belongs to, if to one, 1 for
            the sides of the picture.
        semantics: (B, 12, 2h, 2w), in the order of `SEMANTIC_CLASSES`.
        kind: (B, 6), in the order of `BACKGROUND_KINDS`.
        place: (B, 6), in the order of `PLACES`, for a painted place.
        color: (B, 16), the background's dominant colour, in the order of `PALETTE`.
        second_color: (B, 16), for a background of two colours.
    """

    cells: Tensor
    box: Tensor
    semantics: Tensor
    kind: Tensor
    place: Tensor
    color: Tensor
    second_color: Tensor


class SceneDetector(nn.Module):
    """A small residual network (arXiv:1512.03385) on patches, with a feature pyramid.

    Two levels of features meet in the cells (arXiv:1612.03144). Dilation lets the upper one see
    whole objects. Every cell of an object names the whole box of the object, also its hidden parts
    (arXiv:1904.01355). The cells that name one box are pooled, and tell together which drawing it
    is (arXiv:1504.08083).
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = Convolution(3, 80, kernel=4, stride=4)
        self.fine = Residual(80)
        self.middle = nn.Sequential(Convolution(80, 160, stride=2), Residual(160), Residual(160))
        self.top = nn.Sequential(
            Convolution(160, 256, stride=2),
            Residual(256),
            Residual(256, dilation=2),
            Residual(256, dilation=4),
        )
        self.from_middle = nn.Conv2d(160, FEATURES, 1)
        self.from_top = nn.Conv2d(256, FEATURES, 1, bias=False)
        self.cell_norm = nn.BatchNorm2d(FEATURES)
        self.glyph = nn.Linear(FEATURES, len(all_glyphs()))
        self.reach = nn.Conv2d(FEATURES, 4, 1)
        self.from_fine = nn.Conv2d(80, 64, 1)
        self.from_cells = nn.Conv2d(FEATURES, 64, 1, bias=False)
        self.semantics = nn.Sequential(
            nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, len(SEMANTIC_CLASSES), 1)
        )
        self.surround = Convolution(256, 48, kernel=1)
        self.background = nn.Linear(48 * _REGIONS**2, sum(_BACKGROUND_PARTS))

    def forward(self, images: Tensor) -> SceneDetection:
        """Detect what pictures (B, 3, H, W) in [-1, 1] show; H and W are multiples of 16.

        Raises:
            InvalidInputError: the pictures have another shape.
        """
        if images.ndim != 4 or images.shape[1] != 3 or any(s % _UNIT for s in images.shape[2:]):
            raise InvalidInputError(
                "the detector expects pictures (B, 3, H, W) whose sides are multiples of "
                f"{_UNIT}, got {tuple(images.shape)}"
            )
        fine = self.fine(self.stem(images))
        middle = self.middle(fine)
        top = self.top(middle)
        cells = relu(self.cell_norm(self.from_middle(middle) + _double(self.from_top(top))))
        regions = nn.functional.adaptive_avg_pool2d(self.surround(top), _REGIONS)
        background = self.background(regions.flatten(1)).split(_BACKGROUND_PARTS, 1)
        kind, place, color, second_color = background
        return SceneDetection(
            cells=cells,
            box=_boxes(self.reach(cells)),
            semantics=self.semantics(self.from_fine(fine) + _double(self.from_cells(cells))),
            kind=kind,
            place=place,
            color=color,
            second_color=second_color,
        )

    def name(self, features: Tensor) -> Tensor:
        """Return logits (N, 1167) of the drawings for the features (N, 192) of N objects."""
        return self.glyph(features)

    def extract_features(self, images: Tensor) -> list[Tensor]:
        """Return the features (B, C, h, w) at 1/4, 1/8 and 1/16 of the sides.

        Args:
            images: (B, 3, H, W) in [-1, 1].
        """
        fine = self.fine(self.stem(images))
        middle = self.middle(fine)
        return [fine, middle, self.top(middle)]


def _double(features: Tensor) -> Tensor:
    return interpolate(features, scale_factor=2, mode="nearest")


def _boxes(reach: Tensor) -> Tensor:
    """Return boxes x0, y0, x1, y1, (B, 4, h, w), of how far they reach from the cells' centres.

    The reach is in pixels, not in shares of the picture, whose size a convolution cannot see.
    """
    height, width = reach.shape[2:]
    unit = reach.new_tensor([width, height]).reshape(2, 1, 1) * CELL / _REACH
    y, x = ((torch.arange(n, device=reach.device) + 0.5) / n for n in (height, width))
    centers = torch.stack([x.expand(height, width), y[:, None].expand(height, width)])
    return torch.cat([centers - reach[:, :2] / unit, centers + reach[:, 2:] / unit], 1)


def load_detector(path: Path = SHIPPED_DETECTOR) -> SceneDetector:
    """Return a detector with the weights of a file of `save_network`, in evaluation mode.

    Raises:
        ModelFileError: the file is missing, damaged or of another module.
    """
    return load_network(path, SceneDetector)
