"""Emoji scenes, and pictures as tensors."""

from collections.abc import Iterable, Iterator, Sequence

import torch
from PIL.Image import Image
from torch import Tensor

from latelier.contracts.images.pixels import normalize, pil_to_tensor
from latelier.data.emoji_scenes import Scene
from latelier.data.emoji_scenes.dataset import EmojiScenes


def read_scenes(scenes: EmojiScenes) -> list[Scene]:
    """Return all scenes of a data set."""
    return [scenes.scene(k) for k in range(len(scenes))]


def read_batches(scenes: EmojiScenes, batch_size: int) -> Iterator[list[Scene]]:
    """Yield all scenes of a data set; the last batch may be smaller."""
    for first in range(0, len(scenes), batch_size):
        last = min(first + batch_size, len(scenes))
        yield [scenes.scene(k) for k in range(first, last)]


def to_images(scenes: Sequence[Scene]) -> Tensor:
    """Return the pictures of scenes of one size, float32 (N, 3, H, W) in [-1, 1]."""
    pixels = [torch.from_numpy(scene.image).permute(2, 0, 1) for scene in scenes]
    return normalize(torch.stack(pixels))


def stack_pictures(pictures: Iterable[Image]) -> Tensor:
    """Return pictures of one size, of any mode, as float32 (N, 3, H, W) in [-1, 1]."""
    return torch.stack([pil_to_tensor(picture.convert("RGB")) for picture in pictures])
