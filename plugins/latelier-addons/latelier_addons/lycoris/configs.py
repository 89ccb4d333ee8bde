"""What a manifest holds of changes of the LoRA family. Readable without torch."""

from typing import Any

from latelier.contracts.adapters import AdapterConfig
from latelier.contracts.configs import ConditionerConfig
from pydantic import Field


class LycorisConfig(AdapterConfig):
    """Which changes there are. The file of the weights says which layers they are for."""

    forms: dict[str, int] = Field(description="form of changes -> layers that have one")

    def check(self, name: str, conditioner: ConditionerConfig | None, denoiser: Any) -> None:
        """Check nothing: the file of the weights says which layers it is for."""
