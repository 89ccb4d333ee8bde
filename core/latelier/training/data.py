"""The data sets of training by name, and the batches of their samples."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import Dataset

from latelier.contracts.frozen import validate
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.data.emoji_scenes.scene import SceneConfig
from latelier.training.config import DataSpec


def scenes(spec: DataSpec, seed: int, length: int) -> Dataset[Any]:
    """Return `length` scenes of a seed.

    Raises:
        InvalidConfigError: a field of `spec.config` is wrong.
    """
    return EmojiScenes(validate(SceneConfig, spec.config, "data.config"), seed, length)


def collated(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return images as one tensor (B, 3, H, W), and the list of the samples' indices."""
    return {
        "image": torch.stack([sample["image"] for sample in samples]),
        "index": [sample["index"] for sample in samples],
    }
