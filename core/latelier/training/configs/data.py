"""The configuration of training data."""

from typing import Any, Literal

from pydantic import Field

from latelier.contracts.frozen import Frozen


class DataConfig(Frozen):
    """The training scenes; sample k of the run is scene k of the seed."""

    dataset: Literal["emoji_scenes"] = "emoji_scenes"
    config: dict[str, Any] = Field(default_factory=dict, description="fields of its config")
    seed: int = Field(default=0, ge=0, description="seed of the training scenes")
    held_out_seed: int = Field(default=1_000_003, ge=0, description="seed of the held-out scenes")
