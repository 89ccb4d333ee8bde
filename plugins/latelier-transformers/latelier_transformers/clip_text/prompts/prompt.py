"""The parts of a prompt: segments of text, and chunks of tokens, with their weights."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from latelier.contracts.errors import InvalidInputError

Encode = Callable[[str], Sequence[int]]
"""Returns the token ids of a text."""

BRACKET_WEIGHT = 1.1
"""Weight of a text in round brackets without a number."""

MAX_WEIGHT = 100.0
"""Largest absolute value of a weight; more would only overflow."""


class Segment(NamedTuple):
    """A text and the weight of its tokens."""

    text: str
    weight: float


class Token(NamedTuple):
    """A token id and its weight."""

    number: int
    weight: float


Chunk = list[Token]
"""As many tokens as the encoder reads at once, or fewer, without start, end and padding."""


def encode_segment(segment: Segment, encode: Encode) -> list[Token]:
    """Return the tokens of a segment."""
    return [Token(number, segment.weight) for number in encode(segment.text)]


def check_weights(segments: Iterable[Segment]) -> None:
    """Check that all weights can be computed with.

    Raises:
        InvalidInputError: a weight is too large, or no number.
    """
    for text, weight in segments:
        if not abs(weight) <= MAX_WEIGHT:
            start = text if len(text) <= 40 else f"{text[:40]}..."
            raise InvalidInputError(
                f"the text '{start}' has the weight {weight:g}; expected at most {MAX_WEIGHT:g}"
            )
