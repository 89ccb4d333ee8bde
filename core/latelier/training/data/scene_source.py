"""Samples from the built-in scenes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.messages import suggestion
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.data.emoji_scenes.scene import SceneConfig
from latelier.training.data.source import HashOf
from latelier.training.data.views import Size

_ENDLESS = 2**62
"""Length of scenes that never repeat."""

_FIELDS = ("image", "prompt", "class_label", "layout", "semantic_map", "index")


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
        """Return "prompt" and "class_label"; those of the scene shown last cost nothing."""
        shown, fields = self._last
        if shown != number:
            scene = self._scenes.scene(number)
            fields = {"prompt": scene.caption, "class_label": scene.class_id}
        return fields

    def show(
        self, number: int, _size: Size | None, _generator: np.random.Generator, /
    ) -> dict[str, Any]:
        """Return all fields of a scene, in the size of its own configuration."""
        sample = dict(self._scenes[number])
        self._last = (number, {name: sample[name] for name in ("prompt", "class_label")})
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
        return frozenset(_FIELDS)

    def check_fields(self, fields: Mapping[str, int | None], /) -> None:
        """Check that scenes have some fields.

        Raises:
            InvalidConfigError: they lack one.
        """
        for field in fields:
            if field not in _FIELDS:
                raise InvalidConfigError(
                    f"the built-in scenes have no field '{field}'. {suggestion(field, _FIELDS)}"
                )
