"""Rendered scenes with the answers that a judge should give about them."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from latelier.data.emoji_scenes import BACKGROUND_KINDS, PALETTE
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.data.emoji_scenes.scene import Scene

NO_COLOR = -1
"""The colour label of a place, which names no colour."""

_COLORS = [color.name for color in PALETTE]


@dataclass(frozen=True, eq=False)
class LabelledScenes:
    """N rendered scenes.

    pictures: uint8 (N, 3, H, W).
    glyph, kind, color: int64 (N,), in the order of the judge's `Verdict`; `NO_COLOR` for a place.
    """

    pictures: Tensor
    glyph: Tensor
    kind: Tensor
    color: Tensor

    def images(self) -> Tensor:
        """Return the pictures as float32 in [-1, 1]."""
        return self.pictures.float() / 127.5 - 1


def labels_of(scene: Scene) -> tuple[int, int, int]:
    """Return a scene's glyph, kind of background and dominant background colour as label ids."""
    background = scene.background
    color = _COLORS.index(background.colors[0]) if background.colors else NO_COLOR
    return scene.class_id, BACKGROUND_KINDS.index(background.kind), color


def render(scenes: EmojiScenes, workers: int = 0) -> LabelledScenes:
    """Render all of `scenes`, in `workers` processes beside this one."""
    loader: DataLoader[tuple[Tensor, Tensor]] = DataLoader(
        _Rendered(scenes),
        batch_size=256,
        num_workers=workers,
        generator=torch.Generator(),  # the default is to draw from the global state
    )
    pictures = torch.empty(
        len(scenes), 3, scenes.config.size, scenes.config.size, dtype=torch.uint8
    )
    labels = torch.empty(len(scenes), 3, dtype=torch.int64)
    done = 0
    for some_pictures, some_labels in loader:
        end = done + len(some_labels)
        pictures[done:end], labels[done:end] = some_pictures, some_labels
        done = end
    glyph, kind, color = labels.unbind(1)
    return LabelledScenes(pictures, glyph, kind, color)


class _Rendered(Dataset[tuple[Tensor, Tensor]]):
    """Picture uint8 (3, H, W) and labels int64 (3,) of each scene."""

    def __init__(self, scenes: EmojiScenes) -> None:
        self.scenes = scenes

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        scene = self.scenes.scene(index)
        picture = torch.from_numpy(scene.image).permute(2, 0, 1)  # (H, W, 3) -> (3, H, W)
        return picture, torch.tensor(labels_of(scene))
