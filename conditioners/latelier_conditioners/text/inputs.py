"""What the text conditioner is configured with and what a person gives it."""

from typing import Self

from pydantic import Field, field_validator, model_validator

from latelier.contracts.configs import ConditionerConfig, OutputSpec
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.frozen import Frozen


class TextConfig(ConditionerConfig):
    """A vocabulary learnt from the captions, and a transformer encoder over its tokens."""

    width: int = Field(ge=1, description="width of the tokens it gives, and of the encoder")
    layers: int = Field(default=4, ge=0, description="transformer layers")
    heads: int = Field(default=4, ge=1, description="attention heads; they divide the width")
    max_length: int = Field(
        default=32, ge=2, description="tokens of the longest text, the start token counted"
    )
    vocab_size: int = Field(
        default=2048,
        ge=320,
        description="upper bound of the vocabulary's size; 256 are single bytes",
    )

    def outputs(self) -> OutputSpec:
        """Return the slots that it fills."""
        return OutputSpec(stream=self.width, spatial=None, vector=None)

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads={self.heads} does not divide width={self.width}")
        return self


class Text(Frozen):
    """A text."""

    text: str = Field(max_length=2000, description="what the picture shows")

    @field_validator("text")
    @classmethod
    def _not_empty(cls, text: str) -> str:
        stripped = text.strip()
        if not stripped:
            raise ValueError("the text is empty; leave it out for an unconditional picture")
        return stripped


def check_fits(text: str, tokens: int, most: int) -> None:
    """Refuse a text of more tokens than an encoder takes: nothing is cut off in silence.

    Raises:
        InvalidInputError: says how many there are, and how many fit.
    """
    if tokens > most:
        start = text if len(text) <= 40 else f"{text[:40]}..."
        raise InvalidInputError(f"a text has {tokens} tokens, but at most {most} fit: '{start}'")
