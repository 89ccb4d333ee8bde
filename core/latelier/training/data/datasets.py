"""The data sets of training by name, and the batches of their samples."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import Dataset

from latelier.contracts.frozen import validate
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.data.emoji_scenes.scene import SceneConfig
from latelier.training.configs.data import DataConfig


def make_dataset(config: DataConfig, seed: int, length: int) -> Dataset[Any]:
    """Return a data set of the first `length` scenes of a seed.

    Raises:
        InvalidConfigError: a field of `config.config` is invalid.
    """
    return EmojiScenes(validate(SceneConfig, config.config, "data.config"), seed, length)


def collate(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a batch: "image", float32 (B, 3, H, W) in [-1, 1], and "index", a list of B ints."""
    return {
        "image": torch.stack([sample["image"] for sample in samples]),
        "index": [sample["index"] for sample in samples],
    }
