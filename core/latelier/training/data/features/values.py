"""The inputs of a conditioner in a training: which are finite, and their keys."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from latelier.checkpoints.component import Component
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.messages import suggestion
from latelier.training.configs.data import DataConfig
from latelier.training.data.source import SampleSource

VIEW_FIELDS = ("image", "layout", "semantic_map", "mask", "collage")
"""Fields of samples that depend on crop and flip."""


@dataclass(frozen=True)
class FrozenConditions:
    """The conditioners whose outputs stay the same throughout a training.

    Attributes:
        components: By name; complete before training starts.
        origin: The model that they come from, for messages.
        sources: The field of data samples that is each conditioner's input, by the names of all
            conditioners, trained ones too.
    """

    components: Mapping[str, Component]
    origin: str
    sources: Mapping[str, str]


NO_CONDITIONS = FrozenConditions({}, "", {})
"""Of a training without conditioners."""


def check_cacheable(name: str, frozen: FrozenConditions, data: DataConfig) -> None:
    """Check that the outputs of a conditioner can be stored before a training.

    Raises:
        InvalidConfigError: they cannot; the error says why.
    """
    if name not in frozen.sources:
        raise InvalidConfigError(
            f"data.cache.conditioners: no conditioner '{name}' with an input of the data. "
            f"{suggestion(name, frozen.sources)}"
        )
    reason = _find_obstacle(name, frozen, data)
    if reason is not None:
        raise InvalidConfigError(
            f"data.cache.conditioners: the outputs of '{name}' cannot be stored: {reason}; leave "
            "it out of data.cache.conditioners"
        )


def list_values(
    sources: Sequence[SampleSource], field: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return all values that a field of samples has, and the name of a sample with each, by key.

    Raises:
        InvalidConfigError: a source is endless.
    """
    values: dict[str, Any] = {}
    names: dict[str, str] = {}
    for source in sources:
        if source.length is None:
            raise InvalidConfigError(
                "data.length: a cache needs a number of scenes, such as 100000; without one each "
                "position has a new scene"
            )
        for number in range(source.length):
            for value in source.list_values(number, field):
                key = value_key(value)
                if key not in values:
                    values[key], names[key] = value, source.sample_name(number)
    return values, names


def value_key(value: Any) -> str:
    """Return the key of an input: a hash of it as JSON."""
    text = json.dumps(value, sort_keys=True, default=list)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _find_obstacle(name: str, frozen: FrozenConditions, data: DataConfig) -> str | None:
    """Return why the outputs of a conditioner cannot be stored, or None."""
    field = frozen.sources[name]
    if name not in frozen.components:
        return "it is trained, or learns from the data when training starts, so they change"
    if field != "prompt":
        return None
    if depends_on_view(name, frozen):
        return "its prompts are drawn apart from the view that its outputs depend on"
    if data.captions.shuffle_tags or data.captions.drop_tags:
        return (
            "data.captions.shuffle_tags and drop_tags make another caption each time, and a cache "
            "holds a finite number (several captions and templates are finite)"
        )
    return None


def depends_on_view(name: str, frozen: FrozenConditions) -> bool:
    """Return whether the outputs of a conditioner are stored for each view, not for each value.

    They are if they depend on crop and flip, on the size, on pictures or on random changes.
    """
    if name not in frozen.components:
        return False
    module = frozen.components[name].module
    config = module.config
    return (
        frozen.sources[name] in VIEW_FIELDS
        or changes_inputs(module)
        or config.outputs().spatial is not None
        or config.is_shown_references
    )


def changes_inputs(conditioner: Any) -> bool:
    """Return whether a conditioner changes its inputs at random in training, such as masks."""
    return type(conditioner).augment is not Conditioner.augment
