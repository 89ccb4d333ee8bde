"""Rendered scenes with what a detector should say of each cell."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from latelier.data.emoji_scenes import BACKGROUND_KINDS, PALETTE, Scene, SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.data.emoji_scenes.places import PLACES
from latelier.metrics.scene_detector import CELL

NO_LABEL = -1
"""The label of what a scene lacks: an object in a cell, a place, a colour."""

_COLORS = [color.name for color in PALETTE]
_PLACES = list(PLACES)


class SceneLabels(TypedDict):
    """A picture, or B pictures, of h x w cells, with the labels of `SceneDetection`.

    Attributes:
        image: uint8 (3, H, W).
        glyph: int64 (h, w), index in the atlas, or `NO_LABEL`.
        box: float32 (4, h, w), x0, y0, x1, y1; 0 where there is no object.
        weight: float32 (h, w), 1 in all for each object.
        semantics: int64 (2h, 2w).
        kind: int64 (), position in `BACKGROUND_KINDS`.
        place: int64 (), position in `PLACES`, or `NO_LABEL`.
        color: int64 (), position in `PALETTE`, or `NO_LABEL`.
        second_color: int64 (), position in `PALETTE`, or `NO_LABEL`.
    """

    image: Tensor
    glyph: Tensor
    box: Tensor
    weight: Tensor
    semantics: Tensor
    kind: Tensor
    place: Tensor
    color: Tensor
    second_color: Tensor


def label_scene(scene: Scene) -> SceneLabels:
    """Return the picture and the labels of a scene whose sides are multiples of the cells'."""
    instances = scene.instance_map[2::4, 2::4]
    rows, columns = (side * 4 // CELL for side in instances.shape)
    # A cell belongs to the hindmost of the objects at its four points.
    cells = instances.reshape(rows, 2, columns, 2).max((1, 3))
    glyph = np.full(cells.shape, NO_LABEL, dtype=np.int64)
    box = np.zeros((4, *cells.shape), dtype=np.float32)
    weight = np.zeros(cells.shape, dtype=np.float32)
    for number, each in enumerate(scene.objects, start=1):
        own = cells == number
        glyph[own] = each.glyph.index
        box[:, own] = np.array(each.box, dtype=np.float32)[:, None]
        weight[own] = 1 / max(own.sum(), 1)
    background = label_background(scene)
    return {
        "image": torch.from_numpy(scene.image).permute(2, 0, 1),
        "glyph": torch.from_numpy(glyph),
        "box": torch.from_numpy(box),
        "weight": torch.from_numpy(weight),
        "semantics": torch.from_numpy(scene.semantic_map[2::4, 2::4].astype(np.int64)),
        "kind": torch.tensor(background["kind"]),
        "place": torch.tensor(background["place"]),
        "color": torch.tensor(background["color"]),
        "second_color": torch.tensor(background["second_color"]),
    }


def label_background(scene: Scene) -> dict[str, int]:
    """Return "kind", "place", "color" and "second_color" of a scene as numbers."""
    background = scene.background
    colors = [_COLORS.index(name) for name in background.colors] + [NO_LABEL, NO_LABEL]
    return {
        "kind": BACKGROUND_KINDS.index(background.kind),
        "place": _PLACES.index(background.style) if background.kind == "place" else NO_LABEL,
        "color": colors[0],
        "second_color": colors[1],
    }


class LabelledSceneBatches(Dataset[SceneLabels]):
    """Scenes of several configurations in turn, a batch of each, for ever.

    Scene k is the k-th of its configuration's data set, so that a run goes on where it stopped.
    """

    def __init__(self, configs: Sequence[SceneConfig], seed: int, batch_size: int) -> None:
        self.scenes = [EmojiScenes(each, seed + place) for place, each in enumerate(configs)]
        self.batch_size = batch_size

    def __getitem__(self, index: int) -> SceneLabels:
        turn = index // self.batch_size % len(self.scenes)
        return label_scene(self.scenes[turn].scene(index))
