"""Sources of samples: pictures of a manifest, and the built-in scenes."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image, Resampling

from latelier.contracts.images.pixels import pil_to_tensor
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.data.emoji_scenes.scene import SceneConfig
from latelier.data.manifest.manifest import Manifest
from latelier.data.manifest.record import Record
from latelier.data.pictures import check_aspect, read_map, read_mask, read_rgb
from latelier.training.configs.data import DataConfig
from latelier.training.data.captions import choose_prompt
from latelier.training.data.randomness import DataPurpose, data_generator
from latelier.training.data.views import (
    RESAMPLING,
    View,
    choose_view,
    least_size,
    show,
    show_boxes,
)

_ENDLESS = 2**62
"""Length of scenes that never repeat."""


@dataclass(frozen=True)
class SampleDraws:
    """The random numbers of the sample at one position.

    Attributes:
        seed: Seed of the data.
        position: Position in the training.
    """

    seed: int
    position: int

    def generator(self, purpose: DataPurpose) -> np.random.Generator:
        """Return the generator for one purpose."""
        return data_generator(self.seed, purpose, self.position)


class SampleSource(Protocol):
    """Gives samples by number.

    Attributes:
        name: What it is read from.
        length: Number of samples; None: endless.
    """

    name: str
    length: int | None

    def sample_name(self, number: int) -> str:
        """Return the name of a sample in reports."""
        ...

    def describe(self, number: int, draws: SampleDraws) -> dict[str, Any]:
        """Return the fields of a sample that need no picture, such as "prompt"."""
        ...

    def read(self, number: int, size: tuple[int, int] | None, draws: SampleDraws) -> dict[str, Any]:
        """Return all fields of a sample but its index.

        Args:
            number: of the sample.
            size: width and height of its bucket; None: those of the configuration.
            draws: random numbers of its view and its caption.

        Raises:
            UnusableError: the sample cannot be used.
        """
        ...


class ManifestSource:
    """Some of the records of a manifest."""

    def __init__(self, manifest: Manifest, members: NDArray[np.int64], config: DataConfig) -> None:
        """Create the source of the records whose numbers are `members`."""
        self.name = manifest.origin
        self.manifest = manifest
        self.members = members
        self.length: int | None = len(members)
        self._config = config

    @property
    def sizes(self) -> NDArray[np.int32]:
        """Width and height of each picture, (N, 2); 0 where it is not known."""
        return self.manifest.sizes[self.members]

    def record(self, number: int) -> Record:
        """Return the record of a sample."""
        return self.manifest[int(self.members[number])]

    def sample_name(self, number: int) -> str:
        """Return the name of a sample in reports."""
        return self.record(number).name

    def describe(self, number: int, draws: SampleDraws) -> dict[str, Any]:
        """Return "prompt", "class_label", "weight" and the record's own fields."""
        record = self.record(number)
        label = record.class_label
        names = self.manifest.header.class_names
        class_name = names[label] if label is not None and label < len(names) else None
        captions = [(each.text, each.weight) for each in record.captions]
        generator = draws.generator(DataPurpose.CAPTION)
        prompt = choose_prompt(captions, class_name, self._config.captions, generator)
        fields: dict[str, Any] = {**record.fields, "weight": record.weight}
        if prompt is not None:
            fields["prompt"] = prompt
        if label is not None:
            fields["class_label"] = label
        return fields

    def read(self, number: int, size: tuple[int, int] | None, draws: SampleDraws) -> dict[str, Any]:
        """Return those of `describe`, and of the picture."""
        view = self.show(number, size, draws.generator(DataPurpose.VIEW))
        return {**self.describe(number, draws), **view}

    def show(
        self, number: int, size: tuple[int, int] | None, generator: np.random.Generator
    ) -> dict[str, Any]:
        """Return "image" and, where the record has them, "layout", "semantic_map" and "mask"."""
        record, root, config = self.record(number), self.manifest.root, self._config
        size = size or picture_size(config)
        image = read_rgb(root, record, least_size(size, config))
        view = choose_view(image.size, size, config, generator)
        fields: dict[str, Any] = {
            "image": pil_to_tensor(show(image, view, RESAMPLING[config.resize]))
        }
        if record.boxes is not None:
            fields["layout"] = show_boxes(record.boxes, view)
        if record.semantic_map is not None:
            labels = read_map(root, record.semantic_map)
            fields["semantic_map"] = _show_labels(labels, image, view, "semantic map")
        if record.mask is not None:
            fields["mask"] = _show_labels(read_mask(root, record.mask), image, view, "mask")
        return fields


class SceneSource:
    """The built-in scenes: sample k is scene k of a seed."""

    def __init__(self, config: SceneConfig, seed: int, length: int | None) -> None:
        self.name = "emoji_scenes"
        self.length = length
        self._scenes = EmojiScenes(config, seed, length or _ENDLESS)

    def sample_name(self, number: int) -> str:
        """Return the number of the scene."""
        return f"scene {number}"

    def describe(self, number: int, _draws: SampleDraws) -> dict[str, Any]:
        """Return the caption and the class of a scene."""
        scene = self._scenes.scene(number)
        return {"prompt": scene.caption, "class_label": scene.class_id}

    def read(
        self, number: int, _size: tuple[int, int] | None, _draws: SampleDraws
    ) -> dict[str, Any]:
        """Return the fields of a scene, in the size of its own configuration."""
        return dict(self._scenes[number])


def picture_size(config: DataConfig) -> tuple[int, int]:
    """Return the width and height of the pictures without buckets."""
    return (config.size, config.size) if isinstance(config.size, int) else config.size


def _show_labels(labels: Image, image: Image, view: View, what: str) -> NDArray[np.uint8]:
    """Return the view of a map or mask as an array.

    Raises:
        UnusableError: it has another aspect ratio than the picture.
    """
    check_aspect(labels.size, image.size, what)
    return np.array(show(labels, view, Resampling.NEAREST))
