"""Rendered scenes with the labels that a classifier should predict."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from latelier.contracts.images.pixels import normalize
from latelier.data.emoji_scenes import BACKGROUND_KINDS, PALETTE
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.data.emoji_scenes.scene import Scene

NO_COLOR = -1
"""The colour label of a painted place, whose background has no named colour."""

_COLORS = [color.name for color in PALETTE]


@dataclass(frozen=True, eq=False)
class LabelledScenes:
    """N rendered scenes and their labels, numbered as in the classifier's `Prediction`.

    Attributes:
        pictures: uint8 (N, 3, H, W).
        glyph: int64 (N,), position in the vocabulary.
        kind: int64 (N,), position in `BACKGROUND_KINDS`.
        color: int64 (N,), position in `PALETTE` of the dominant colour, or `NO_COLOR`.
    """

    pictures: Tensor
    glyph: Tensor
    kind: Tensor
    color: Tensor

    def images(self) -> Tensor:
        """Return the pictures as float32 in [-1, 1]."""
        return normalize(self.pictures)


def label_scene(scene: Scene) -> tuple[int, int, int]:
    """Return a scene's labels: glyph, kind of background, dominant background colour."""
    background = scene.background
    color = _COLORS.index(background.colors[0]) if background.colors else NO_COLOR
    return scene.class_id, BACKGROUND_KINDS.index(background.kind), color


def render(scenes: EmojiScenes, workers: int = 0) -> LabelledScenes:
    """Render all scenes, in this process or in `workers` others; the result is the same."""
    loader: DataLoader[tuple[Tensor, Tensor]] = DataLoader(
        _RenderedScenes(scenes),
        batch_size=256,
        num_workers=workers,
        generator=torch.Generator(),  # without it the global random state would be used
    )
    pictures = torch.empty(
        len(scenes), 3, scenes.config.size, scenes.config.size, dtype=torch.uint8
    )
    labels = torch.empty(len(scenes), 3, dtype=torch.int64)
    done = 0
    for batch_pictures, batch_labels in loader:
        end = done + len(batch_labels)
        pictures[done:end], labels[done:end] = batch_pictures, batch_labels
        done = end
    glyph, kind, color = labels.unbind(1)
    return LabelledScenes(pictures, glyph, kind, color)


class _RenderedScenes(Dataset[tuple[Tensor, Tensor]]):
    """Picture uint8 (3, H, W) and labels int64 (3,) of each scene."""

    def __init__(self, scenes: EmojiScenes) -> None:
        self.scenes = scenes

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        scene = self.scenes.scene(index)
        picture = torch.from_numpy(scene.image).permute(2, 0, 1)  # (H, W, 3) -> (3, H, W)
        return picture, torch.tensor(label_scene(scene))
