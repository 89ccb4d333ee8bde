"""A LoRA: low-rank changes of layers of a denoiser and its conditioners."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from torch import nn

from latelier.checkpoints.lora.configs import LoraConfig, LoraLayerConfig
from latelier.checkpoints.lora.keys import find_other_kind, parse_key
from latelier.checkpoints.lora.reading import read_changes
from latelier.checkpoints.lora.writing import write_changes
from latelier.contracts.adapters import Model
from latelier.nn.low_rank import LowRank

LORA_ID = "latelier/lora"
"""The id of this kind of adapter."""


class Lora(nn.Module):
    """Low-rank changes of the layers of a model (Hu et al. 2021, arXiv:2106.09685)."""

    def __init__(self, layers: Mapping[str, LowRank]) -> None:
        """Take the changes, by the addresses of the layers."""
        super().__init__()
        self._layers = dict(layers)
        for address, change in layers.items():
            self.add_module(address.replace(".", "/"), change)  # names of modules hold no dots

    @property
    def layers(self) -> Mapping[str, LowRank]:
        """The changes by the addresses of the layers."""
        return self._layers

    @property
    def changes(self) -> Mapping[str, LowRank]:
        """The changes by the addresses of the layers' weights."""
        return {f"{address}.weight": change for address, change in self.layers.items()}

    @property
    def config(self) -> LoraConfig:
        """The layers with the ranks and scales of their changes."""
        return LoraConfig(
            layers={
                address: LoraLayerConfig(rank=change.rank, alpha=change.alpha)
                for address, change in self.layers.items()
            }
        )

    @classmethod
    def recognizes(cls, shapes: Mapping[str, tuple[int, ...]], /) -> bool:
        """Return whether tensors are of low-rank changes, and none of another kind of change."""
        return find_other_kind(shapes) is None and any(map(parse_key, shapes))

    @classmethod
    def read(cls, path: Path, model: Model, /) -> Self:
        """Read a file in any known layout; see `read_changes`."""
        return cls(read_changes(path, model)).eval().requires_grad_(False)

    def write(self, path: Path, model: Model, /) -> str:
        """Write a file in latelier's own layout, and return its SHA-256."""
        return write_changes(path, self.layers, model, "latelier")

    def set_strength(self, strength: float) -> None:
        """Multiply all changes by a strength."""
        for change in self.layers.values():
            change.strength = strength
