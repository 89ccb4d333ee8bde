"""Configuration and input of the text conditioner."""

from collections.abc import Mapping, Sequence
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from latelier.contracts.bounds import Layers, Rows, Tokens, Width
from latelier.contracts.configs import ConditionerConfig, OutputSpec
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.frozen import Frozen
from latelier_conditioners.text.words import CaptionWords

WORDS_FILE = "words.txt"
"""Asset with the words of the captions in training."""


class TextConfig(ConditionerConfig):
    """A vocabulary learnt from the captions, and a transformer encoder over its tokens."""

    width: Width = Field(description="width of the encoder and of its tokens")
    layers: Layers = Field(default=4, ge=0, description="transformer layers")
    heads: Width = Field(default=4, description="attention heads; must divide the width")
    max_length: Tokens = Field(
        default=32,
        ge=2,
        description="tokens of the longest text, including the start token",
    )
    vocab_size: Rows = Field(
        default=2048,
        ge=320,
        description="largest size of the vocabulary; 256 of its tokens are single bytes",
    )

    def outputs(self) -> OutputSpec:
        return OutputSpec(stream=self.width)

    @property
    def reference_role(self) -> Literal["text"]:
        return "text"

    def vocabulary(self, assets: Mapping[str, bytes], /) -> Sequence[str]:
        """Return the words of the captions in training, empty if the model did not keep them."""
        return CaptionWords.from_bytes(assets.get(WORDS_FILE, b"")).words

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads={self.heads} does not divide width={self.width}")
        return self


class Text(Frozen):
    """What the picture should show, in words."""

    text: str = Field(max_length=2000, description="what the picture shows")

    @field_validator("text")
    @classmethod
    def _not_empty(cls, text: str) -> str:
        stripped = text.strip()
        if not stripped:
            raise ValueError("the text is empty; leave it out for an unconditional picture")
        return stripped


def check_length(text: str, tokens: int, limit: int) -> None:
    """Check that a text fits, so that no conditioner cuts one off in silence.

    Raises:
        InvalidInputError: `tokens` is above `limit`.
    """
    if tokens > limit:
        start = text if len(text) <= 40 else f"{text[:40]}..."
        raise InvalidInputError(f"a text has {tokens} tokens, but at most {limit} fit: '{start}'")
