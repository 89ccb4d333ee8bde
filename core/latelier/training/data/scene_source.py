"""Samples from the built-in scenes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.messages import suggestion
from latelier.data.emoji_scenes.config import SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.training.data.source import HashOf
from latelier.training.data.views import Size

_ENDLESS = 2**62
"""Length of scenes that never repeat."""

_FIELDS = ("image", "prompt", "class_label", "layout", "semantic_map", "index")
REFERENCE_FIELDS = ("references", "collage")
"""Fields that scenes have with slots alone, and that a cache does not store."""

_SLOT_FIELDS = (*_FIELDS, *REFERENCE_FIELDS)
_DESCRIBED = ("prompt", "class_label", "references")


class SceneSource:
    """The built-in scenes: sample k is scene k of a seed."""

    def __init__(self, config: SceneConfig, seed: int, length: int | None) -> None:
        self.name = "emoji_scenes"
        self.length = length
        self._scenes = EmojiScenes(config, seed, length or _ENDLESS)
        self._last: tuple[int, dict[str, Any]] = (-1, {})

    def sample_name(self, number: int, /) -> str:
        """Return the number of the scene."""
        return f"scene {number}"

    def describe(self, number: int, _generator: np.random.Generator, /) -> dict[str, Any]:
        """Return "prompt", "class_label" and with slots "references".

        Those of the scene shown last cost nothing.
        """
        shown, fields = self._last
        if shown != number:
            scene = self._scenes.scene(number)
            fields = {"prompt": scene.caption, "class_label": scene.class_id}
            fields |= self.list_references(number)
        return fields

    def list_references(self, number: int) -> dict[str, Any]:
        """Return with slots alone "references", without composing the scene."""
        if not self._scenes.config.slots:
            return {}
        return {"references": self._scenes.references(number)}

    def show(
        self, number: int, _size: Size | None, _generator: np.random.Generator, /
    ) -> dict[str, Any]:
        """Return all fields of a scene, in the size of its own configuration."""
        sample = dict(self._scenes[number])
        self._last = (number, {name: sample[name] for name in _DESCRIBED if name in sample})
        return sample

    def list_values(self, number: int, field: str, /) -> Sequence[Any]:
        """Return the one value of a field of a scene."""
        fields = self.describe(number, np.random.default_rng(0))
        return [fields[field]] if field in fields else []

    def content_key(self, number: int, _hash_of: HashOf, /) -> str:
        """Return the configuration, the seed and the number."""
        return f"{self._scenes.config.model_dump_json()} {self._scenes.seed} {number}"

    def list_fields(self) -> frozenset[str]:
        """Return the fields of a scene."""
        return frozenset(_SLOT_FIELDS if self._scenes.config.slots else _FIELDS)

    def check_fields(self, fields: Mapping[str, int | None], /) -> None:
        """Check that scenes have some fields, and no more labels than these.

        Raises:
            InvalidConfigError: they lack one, or have a label that is out of range.
        """
        config = self._scenes.config
        labels = {"class_label": config.classes, "layout": config.classes}
        if config.slots:
            labels["layout"] = config.objects[1]
        for field, number in fields.items():
            if field in REFERENCE_FIELDS and not config.slots:
                raise InvalidConfigError(
                    f"the built-in scenes have no {field} without slots; set slots: true in their "
                    "config"
                )
            if field not in _SLOT_FIELDS:
                near = suggestion(field, _SLOT_FIELDS)
                raise InvalidConfigError(f"the built-in scenes have no field '{field}'. {near}")
            if number is not None and number < labels.get(field, 0):
                raise InvalidConfigError(
                    f"the built-in scenes have labels of '{field}' up to {labels[field] - 1}, but "
                    f"its conditioner takes 0..{number - 1}; set num_classes: {labels[field]}"
                )
