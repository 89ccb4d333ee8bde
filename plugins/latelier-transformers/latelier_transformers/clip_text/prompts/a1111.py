"""Prompts as AUTOMATIC1111's web UI reads them.

(text) has the weight 1.1, (text:1.3) the weight 1.3 and [text] the weight 1 / 1.1. Weights of
nested brackets are multiplied, and a bracket that is not closed ends with the prompt. A backslash
makes the next bracket or backslash literal. BREAK ends a chunk.
"""

import re
from collections.abc import Sequence

from latelier.contracts.errors import InvalidInputError

from latelier_transformers.clip_text.prompts.prompt import (
    BRACKET_WEIGHT,
    Chunk,
    Encode,
    Segment,
    Token,
    check_weights,
    encode_segment,
)

COMMA_REACH = 20
"""A full chunk is cut after its last comma, if at most so many tokens follow it."""

_BREAK = Segment("BREAK", -1.0)
_BREAKS = re.compile(r"\s*\bBREAK\b\s*")
_PIECE = re.compile(
    r"\\(?P<literal>[()\[\]\\]?)|(?P<opening>[(\[])|:\s*(?P<weight>[+-]?[.\d]+)\s*\)|"
    r"(?P<closing>[)\]])|[^\\()\[\]:]+|:"
)
_CLOSED_BY = {")": "(", "]": "["}
_WEIGHTS = {"(": BRACKET_WEIGHT, "[": 1 / BRACKET_WEIGHT}


def parse(prompt: str) -> list[list[Segment]]:
    """Return the segments of a prompt, in one list for each part between BREAKs.

    Neighbours of equal weight are one segment. BREAK inside brackets is a word, as the weights of
    the brackets apply to the mark itself.

    Raises:
        InvalidInputError: a weight is not a number, or too large.
    """
    reader = _Reader()
    for piece in _PIECE.finditer(prompt):
        reader.read(piece)
    segments = _merge(reader.close())
    check_weights(segments)
    parts: list[list[Segment]] = [[]]
    for segment in segments:
        if segment == _BREAK:
            parts.append([])
        else:
            parts[-1].append(segment)
    return parts


def split(prompt: str, encode: Encode, capacity: int) -> list[Chunk]:
    """Return the chunks of a prompt, one at least.

    Args:
        prompt: as people write it.
        encode: the tokenizer.
        capacity: tokens of a chunk.

    Raises:
        InvalidInputError: a weight is not a number, or too large.
    """
    commas = encode(",")
    chunks: list[Chunk] = []
    parts = parse(prompt)
    for number, part in enumerate(parts, 1):
        tokens = [token for segment in part for token in encode_segment(segment, encode)]
        found = _fill(tokens, commas, capacity)
        is_empty_end = number == len(parts) and bool(chunks)
        chunks += found if found or is_empty_end else [[]]
    return chunks


class _Reader:
    """The segments so far, and where the open brackets began."""

    def __init__(self) -> None:
        self._segments: list[Segment] = []
        self._open: dict[str, list[int]] = {"(": [], "[": []}

    def read(self, piece: re.Match[str]) -> None:
        literal, opening, weight, closing = piece.group("literal", "opening", "weight", "closing")
        if literal is not None:
            self._segments.append(Segment(literal, 1.0))
        elif opening:
            self._open[opening].append(len(self._segments))
        elif weight and self._open["("]:
            self._weigh("(", _read_weight(weight))
        elif closing and self._open[_CLOSED_BY[closing]]:
            bracket = _CLOSED_BY[closing]
            self._weigh(bracket, _WEIGHTS[bracket])
        else:
            first, *others = _BREAKS.split(piece.group())
            self._segments.append(Segment(first, 1.0))
            for each in others:
                self._segments += [_BREAK, Segment(each, 1.0)]

    def close(self) -> list[Segment]:
        """Close the brackets that are still open, and return the segments."""
        for bracket, starts in self._open.items():
            while starts:
                self._weigh(bracket, _WEIGHTS[bracket])
        return self._segments

    def _weigh(self, bracket: str, weight: float) -> None:
        """Close the last bracket of a kind."""
        start = self._open[bracket].pop()
        self._segments[start:] = [
            Segment(text, own * weight) for text, own in self._segments[start:]
        ]


def _read_weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidInputError(
            f"expected a weight in the text, as in (cat:1.2), got ':{text})'"
        ) from None


def _merge(segments: Sequence[Segment]) -> list[Segment]:
    merged: list[Segment] = []
    for text, weight in segments:
        if merged and merged[-1].weight == weight:
            merged[-1] = Segment(merged[-1].text + text, weight)
        else:
            merged.append(Segment(text, weight))
    return merged


def _fill(tokens: Sequence[Token], commas: Sequence[int], capacity: int) -> list[Chunk]:
    """Return the chunks of the tokens of a part; an empty part has none."""
    chunks: list[Chunk] = []
    chunk: Chunk = []
    after_comma: int | None = None  # where the last comma of the chunk ends
    for token in tokens:
        is_comma = token.number in commas
        if len(chunk) == capacity:
            is_near = after_comma is not None and capacity - after_comma < COMMA_REACH
            cut = after_comma if is_near and not is_comma else capacity
            chunks.append(chunk[:cut])
            chunk, after_comma = chunk[cut:], None
        elif is_comma:
            after_comma = len(chunk) + 1
        chunk.append(token)
    return [*chunks, chunk] if chunk else chunks
