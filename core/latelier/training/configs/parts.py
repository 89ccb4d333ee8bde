"""Parts of the training configurations."""

from typing import Any, Literal

from pydantic import Field

from latelier.contracts.frozen import Frozen

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
"""Lightning Fabric's names. Weights are float32 in all; `mixed` computes in 16 bits."""

TermName = Literal["absolute", "squared", "edges"]
"""The terms of the reconstruction loss (see `losses`)."""


class ComponentChoice(Frozen):
    """A component to build: its id in the registry and its configuration."""

    id: str = Field(description="bare or full id, such as 'unet' or 'latelier/unet'")
    config: dict[str, Any] = Field(default_factory=dict, description="fields of its config")


class DataConfig(Frozen):
    """The training scenes; sample k of the run is scene k of the seed."""

    dataset: Literal["emoji_scenes"] = "emoji_scenes"
    config: dict[str, Any] = Field(default_factory=dict, description="fields of its config")
    seed: int = Field(default=0, ge=0, description="seed of the training scenes")
    held_out_seed: int = Field(default=1_000_003, ge=0, description="seed of the held-out scenes")


class OptimizerConfig(Frozen):
    """AdamW (arXiv:1711.05101) with linear warm-up and cosine decay."""

    lr: float = Field(default=1e-4, gt=0, description="peak learning rate")
    final_lr: float = Field(
        default=0.05, ge=0, le=1, description="last learning rate, in units of lr"
    )
    warmup: int = Field(default=500, ge=0, description="steps of linear warm-up")
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float = Field(default=1.0, gt=0, description="largest norm of the gradient")


class InputSource(Frozen):
    """The source of an input, and how often training drops it."""

    source: str = Field(description="field of a data sample, such as 'prompt'")
    drop: float = Field(
        default=0.1, ge=0, le=1, description="probability that the null part replaces it"
    )


class ConditionerChoice(ComponentChoice, InputSource):
    """A conditioner, the source of its inputs, and how often training drops it."""
