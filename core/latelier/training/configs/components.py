"""Choices of components and of their inputs."""

from typing import Any, Literal

from pydantic import Field

from latelier.contracts.frozen import Frozen

TermName = Literal["absolute", "squared", "edges"]
"""The terms of the reconstruction loss (see `losses`)."""


class ComponentChoice(Frozen):
    """A component to build: its id in the registry and its configuration."""

    id: str = Field(description="bare or full id, such as 'unet' or 'latelier/unet'")
    config: dict[str, Any] = Field(default_factory=dict, description="fields of its config")


class InputSource(Frozen):
    """The source of an input, and how often training drops it."""

    source: str = Field(description="field of a data sample, such as 'prompt'")
    drop: float = Field(
        default=0.1, ge=0, le=1, description="probability that the null part replaces it"
    )


class ConditionerChoice(ComponentChoice, InputSource):
    """A conditioner, the source of its inputs, and how often training drops it."""
