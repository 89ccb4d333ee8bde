"""A LoRA in memory: low-rank changes of layers of a denoiser and its conditioners.

A layer of a model has an address: the place of its component, "denoiser" or "conditioners.NAME",
and its path there, such as "denoiser.input_blocks.1.1.transformer_blocks.0.attn2.to_k".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field
from torch import nn

from latelier._version import __version__
from latelier.checkpoints.component import Component
from latelier.checkpoints.manifests import LORA_ID, TrainedOn
from latelier.contracts.frozen import Frozen
from latelier.nn.low_rank import ChangeableLayer, LowRank


class LoraLayerConfig(Frozen):
    """The size and scale of the change of one layer."""

    rank: int = Field(ge=1, description="rank r of the change")
    alpha: float = Field(allow_inf_nan=False, description="the change is scaled by alpha / r")


class LoraConfig(Frozen):
    """The layers that a LoRA changes."""

    layers: dict[str, LoraLayerConfig] = Field(description="address of a layer -> its change")


class Lora(nn.Module):
    """Low-rank changes of the layers of a model (Hu et al. 2021, arXiv:2106.09685)."""

    def __init__(self, changes: Mapping[str, LowRank]) -> None:
        """Take the changes, by the addresses of the layers."""
        super().__init__()
        self._changes = dict(changes)
        for address, change in changes.items():
            self.add_module(address.replace(".", "/"), change)  # names of modules hold no dots

    @property
    def changes(self) -> Mapping[str, LowRank]:
        """The changes by the addresses of the layers."""
        return self._changes

    @property
    def config(self) -> LoraConfig:
        """The layers with the ranks and scales of their changes."""
        return LoraConfig(
            layers={
                address: LoraLayerConfig(rank=change.rank, alpha=change.alpha)
                for address, change in self.changes.items()
            }
        )

    def set_strength(self, strength: float) -> None:
        """Multiply all changes by a strength."""
        for change in self.changes.values():
            change.strength = strength


@dataclass(frozen=True, eq=False)
class LoadedLora:
    """A LoRA whose weights are in memory.

    Attributes:
        name: by which pipelines list it.
        component: the changes, a `Lora`.
        description: one human-readable line.
        defaults: of requests with it, such as few steps, in place of the model's own.
        trained_on: the model that it was trained on; None: unknown.
        card: human-readable facts.
    """

    name: str
    component: Component
    description: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    trained_on: TrainedOn | None = None
    card: Mapping[str, Any] = field(default_factory=dict)

    @property
    def lora(self) -> Lora:
        """The changes."""
        return self.component.module


def lora_component(lora: Lora, sha256: str | None = None) -> Component:
    """Return a LoRA as a component; `sha256` is that of the file that its weights are from."""
    return Component("adapter", LORA_ID, __version__, lora, sha256)


def find_layers(components: Mapping[str, Component]) -> dict[str, ChangeableLayer]:
    """Return the layers that a LoRA can change, by address.

    Args:
        components: the denoiser and conditioners of a model, by place.
    """
    return {
        f"{place}.{path}": layer
        for place, component in components.items()
        if isinstance(component.module, nn.Module)
        for path, layer in component.module.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d)
    }


def select_layers(addresses: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return the values at the addresses of one component, by the paths of its layers."""
    prefix = f"{place}."
    return {
        address.removeprefix(prefix): value
        for address, value in addresses.items()
        if address.startswith(prefix)
    }
