"""Emoji scenes as a torch data set."""

from typing import Any, NotRequired, TypedDict

import numpy as np
import torch
from torch.utils.data import Dataset

from latelier.contracts.images.pixels import normalize
from latelier.data.emoji_scenes.artwork import Pixels
from latelier.data.emoji_scenes.config import SceneConfig
from latelier.data.emoji_scenes.objects import choose_subjects
from latelier.data.emoji_scenes.scene import Scene, compose


class SceneItem(TypedDict):
    """One training sample.

    Attributes:
        image: float32 (3, H, W) in [-1, 1].
        prompt: the caption.
        class_label: class of the main object.
        layout: objects, each with "box" (x0, y0, x1, y1 in 0..1) and "label": its class, or with
            slots its number from 0.
        semantic_map: (H, W) uint8.
        index: of the sample.
        references: with slots alone: the artwork of each object, upright and alone, (128, 128, 4)
            with straight alpha.
        collage: with slots alone: "pictures", which are the references, with their "boxes", their
            "turns" in degrees, counter-clockwise, and whether they are "mirrored".
    """

    image: torch.Tensor
    prompt: str
    class_label: int
    layout: list[dict[str, Any]]
    semantic_map: np.ndarray
    index: int
    references: NotRequired[list[Pixels]]
    collage: NotRequired[dict[str, list[Any]]]


class EmojiScenes(Dataset[SceneItem]):
    """A practically endless data set: (config, seed, index) determine a sample."""

    def __init__(
        self, config: SceneConfig | None = None, seed: int = 0, length: int = 1_000_000
    ) -> None:
        """Create the data set. Scenes are drawn when they are read.

        Raises:
            ValueError: `seed` is negative, or `length` is below 1.
        """
        if seed < 0:
            raise ValueError(f"expected a seed of 0 or more, not {seed}")
        if length < 1:
            raise ValueError(f"expected a length of 1 or more, not {length}")
        self.config = config or SceneConfig()
        self.seed = seed
        self.length = length

    def __len__(self) -> int:
        """Return the number of scenes."""
        return self.length

    def scene(self, index: int) -> Scene:
        """Return scene `index`, 0 to `length - 1`, with its annotations."""
        return compose(self.config, self._generator(index))

    def references(self, index: int) -> list[Pixels]:
        """Return the artworks of scene `index` as in a sample, without composing the scene."""
        subjects = choose_subjects(self.config, self._generator(index))
        return [subject.artwork.picture() for subject in subjects]

    def __getitem__(self, index: int) -> SceneItem:
        """Return scene `index` as a training sample."""
        return self.to_item(self.scene(index), index)

    def to_item(self, scene: Scene, index: int) -> SceneItem:
        """Return a scene of this data set as a training sample."""
        slots = self.config.slots
        image = torch.tensor(scene.image, dtype=torch.float32)
        item: SceneItem = {
            "image": normalize(image.permute(2, 0, 1).contiguous()),  # (H, W, 3) -> (3, H, W)
            "prompt": scene.caption,
            "class_label": scene.class_id,
            "layout": [
                {"box": each.box, "label": i if slots else each.class_id}
                for i, each in enumerate(scene.objects)
            ],
            "semantic_map": scene.semantic_map,
            "index": index,
        }
        if slots:
            item["references"] = [each.artwork.picture() for each in scene.objects]
            item["collage"] = {
                "pictures": item["references"],
                "boxes": [each.artwork.placed_box(each.placement) for each in scene.objects],
                "turns": [each.placement.angle for each in scene.objects],
                "mirrored": [each.placement.mirrored for each in scene.objects],
            }
        return item

    def _generator(self, index: int) -> np.random.Generator:
        if not 0 <= index < self.length:
            raise IndexError(f"index {index} is outside 0..{self.length - 1}")
        return np.random.Generator(np.random.Philox(key=[self.seed, index]))
