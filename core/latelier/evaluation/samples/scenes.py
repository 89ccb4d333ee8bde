"""The built-in scenes as samples."""

from collections.abc import Collection, Mapping
from typing import Any

import torch

from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.frozen import validate
from latelier.contracts.messages import suggestion
from latelier.data.emoji_scenes import Scene
from latelier.data.emoji_scenes.config import SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.protocol.data import EvaluationData

_FIELDS = ("image", "prompt", "class_label", "layout", "semantic_map", "scene", "drawings",
           "named_layout")  # fmt: skip


class SceneSamples:
    """The built-in scenes: sample k is scene k of the seed.

    Beside the fields of a training sample they have "scene", the scene itself; "drawings", the
    numbers of its drawings in the database as a value of an input of reference pictures; and
    "named_layout", the layout with the names of the drawings.
    """

    def __init__(self, data: EvaluationData, count: int) -> None:
        """Create the samples.

        Raises:
            InvalidConfigError: a field of the scenes is invalid.
        """
        config = validate(SceneConfig, data.config, "data.config")
        _check_size(data, config)
        self.name = "emoji_scenes"
        self.count = count
        self.size = (config.size, config.size)
        self.facts: Mapping[str, Any] = {
            "source": {
                "dataset": self.name,
                "config": config.model_dump(mode="json", exclude_defaults=True),
                "seed": data.seed,
            },
            "size": list(self.size),
        }
        self._scenes = EmojiScenes(config, data.seed, count)

    def check_fields(self, fields: Collection[str], /) -> None:
        """Check that scenes have some fields.

        Raises:
            InvalidConfigError: they lack one.
        """
        has = (*_FIELDS, "references") if self._scenes.config.slots else _FIELDS
        for field in sorted(fields):
            if field not in has:
                raise InvalidConfigError(
                    f"the built-in scenes have no field '{field}'. {suggestion(field, has)}"
                )

    def sample_name(self, index: int, /) -> str:
        """Return the number of the scene."""
        return f"scene {index}"

    def read(self, index: int, fields: Collection[str], /) -> dict[str, Any]:
        """Return "index", and all fields of the scene if any is asked for."""
        if not fields:
            return {"index": index}
        scene = self._scenes.scene(index)
        image = torch.from_numpy(scene.image).permute(2, 0, 1).contiguous()
        return {
            **self._scenes.to_item(scene, index),
            "image": image,
            "scene": scene,
            "drawings": {"pictures": [each.glyph.index for each in scene.objects]},
            "named_layout": _name_objects(scene),
        }


def _name_objects(scene: Scene) -> dict[str, Any]:
    return {"objects": [{"label": each.glyph.name, "box": each.box} for each in scene.objects]}


def _check_size(data: EvaluationData, config: SceneConfig) -> None:
    if data.sides not in (None, (config.size, config.size)):
        raise InvalidConfigError(
            f"data.size: expected that of the scenes, {config.size}, got {data.size}; set "
            "config.size of the data"
        )
