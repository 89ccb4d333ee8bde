"""What a manifest holds of an adapter of textual inversion. Readable without torch."""

from typing import Any

from latelier.contracts.adapters import AdapterConfig
from latelier.contracts.configs import ConditionerConfig
from pydantic import Field


class TextualInversionConfig(AdapterConfig):
    """The words that it adds."""

    words: dict[str, int] = Field(description="word -> tokens that it stands for")

    def check(self, name: str, conditioner: ConditionerConfig | None, denoiser: Any) -> None:
        """Check nothing: the words are for text encoders, not for denoisers."""
