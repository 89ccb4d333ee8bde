"""Emoji scenes as a torch data set."""

from typing import Any, TypedDict

import numpy as np
import torch
from torch.utils.data import Dataset

from latelier.contracts.images.pixels import normalize
from latelier.data.emoji_scenes.scene import Scene, SceneConfig, compose


class SceneItem(TypedDict):
    """One training item: ``image`` is float32 (3, H, W) in [-1, 1].

    ``layout`` lists the objects, each a box x0, y0, x1, y1 in 0..1 and a label; ``semantic_map`` is
    (H, W) uint8.
    """

    image: torch.Tensor
    prompt: str
    class_label: int
    layout: list[dict[str, Any]]
    semantic_map: np.ndarray
    index: int


class EmojiScenes(Dataset[SceneItem]):
    """A practically endless data set: item ``index`` follows from (config, seed, index) alone."""

    def __init__(
        self, config: SceneConfig | None = None, seed: int = 0, length: int = 1_000_000
    ) -> None:
        """Prepare ``length`` scenes; nothing is drawn before it is asked for."""
        if seed < 0:
            raise ValueError(f"seed is {seed}, but it must be 0 or more")
        if length < 1:
            raise ValueError(f"length is {length}, but it must be 1 or more")
        self.config = config or SceneConfig()
        self.seed = seed
        self.length = length

    def __len__(self) -> int:
        """Return the number of scenes."""
        return self.length

    def scene(self, index: int) -> Scene:
        """Return scene ``index`` (0 to ``length - 1``) with its boxes, maps and background."""
        if not 0 <= index < self.length:
            raise IndexError(f"index {index} is outside 0..{self.length - 1}")
        generator = np.random.Generator(np.random.Philox(key=[self.seed, index]))
        return compose(self.config, generator)

    def __getitem__(self, index: int) -> SceneItem:
        """Return the image, its caption, the class id of the main object, and where things are."""
        scene = self.scene(index)
        image = torch.tensor(scene.image, dtype=torch.float32)
        return {
            "image": normalize(image.permute(2, 0, 1).contiguous()),  # (H, W, 3) -> (3, H, W)
            "prompt": scene.caption,
            "class_label": scene.class_id,
            "layout": [{"box": each.box, "label": each.class_id} for each in scene.objects],
            "semantic_map": scene.semantic_map,
            "index": index,
        }
