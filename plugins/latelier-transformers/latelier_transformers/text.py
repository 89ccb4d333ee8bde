"""What a person gives to either encoder: a text."""

from latelier import Frozen
from latelier.kernel.errors import InvalidInputError
from pydantic import Field, field_validator


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
