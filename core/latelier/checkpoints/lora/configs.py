"""What a manifest holds of a LoRA. Readable without torch."""

from typing import Any

from pydantic import Field

from latelier.contracts.adapters import AdapterConfig
from latelier.contracts.configs import ConditionerConfig
from latelier.contracts.frozen import Frozen


class LoraLayerConfig(Frozen):
    """The size and scale of the change of one layer."""

    rank: int = Field(ge=1, description="rank r of the change")
    alpha: float = Field(allow_inf_nan=False, description="the change is scaled by alpha / r")


class LoraConfig(AdapterConfig):
    """The layers that a LoRA changes."""

    layers: dict[str, LoraLayerConfig] = Field(description="address of a layer -> its change")

    def check(self, name: str, conditioner: ConditionerConfig | None, denoiser: Any) -> None:
        """Check nothing: the file of the weights says which layers they are for."""
