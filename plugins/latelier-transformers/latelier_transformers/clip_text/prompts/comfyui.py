"""Prompts as ComfyUI reads them.

(text) has 1.1 times the weight around it, and (text:1.3) the weight 1.3, whatever is around it. A
backslash makes the next round bracket literal. A bracket that is not closed is literal too.
embedding:NAME is the word NAME of textual inversion, also with the ending of its file.
"""

import re
from collections.abc import Iterator

from latelier_transformers.clip_text.prompts.prompt import (
    BRACKET_WEIGHT,
    Chunk,
    Encode,
    Segment,
    check_weights,
    encode_segment,
)

LONG_SEGMENT = 8
"""A segment of so many tokens may be divided between two chunks; a shorter one stays whole."""

EMBEDDING = re.compile(r"\bembedding:([^\s,:()]+?)(?:\.(?:safetensors|pt|bin))?(?=[\s,:()]|$)")
"""Names a word of textual inversion."""

_ESCAPES = {r"\)": "\0\1", r"\(": "\0\2"}
"""Literal brackets, and what stands for them while brackets are matched."""


def parse(prompt: str) -> list[Segment]:
    """Return the segments of a prompt.

    Raises:
        InvalidInputError: a weight is too large.
    """
    for escape, mark in _ESCAPES.items():
        prompt = prompt.replace(escape, mark)
    segments: list[Segment] = []
    waiting = [(prompt, 1.0, True)]  # text, its weight, whether it may have brackets
    while waiting:
        text, weight, is_nested = waiting.pop()
        if not is_nested:
            segments.append(Segment(EMBEDDING.sub(r"\1", _unescape(text)), weight))
            continue
        groups = [_open_group(group, weight) for group in _split_groups(text)]
        waiting += reversed(groups)
    check_weights(segments)
    return segments


def split(prompt: str, encode: Encode, capacity: int) -> list[Chunk]:
    """Return the chunks of a prompt, one at least.

    Args:
        prompt: as people write it.
        encode: the tokenizer.
        capacity: tokens of a chunk.

    Raises:
        InvalidInputError: a weight is too large.
    """
    chunks: list[Chunk] = [[]]
    for segment in parse(prompt):
        tokens = encode_segment(segment, encode)
        is_long = len(tokens) >= LONG_SEGMENT or len(tokens) > capacity
        while len(tokens) > capacity - len(chunks[-1]):
            room = capacity - len(chunks[-1]) if is_long else 0
            chunks[-1] += tokens[:room]
            tokens = tokens[room:]
            chunks.append([])
        chunks[-1] += tokens
    return chunks


def _split_groups(text: str) -> Iterator[str]:
    """Yield the outermost bracketed groups of a text, and the texts between them."""
    depth, start = 0, 0
    for position, character in enumerate(text):
        if character == "(":
            if depth == 0 and position > start:
                yield text[start:position]
                start = position
            depth += 1
        elif character == ")":
            depth -= 1
            if depth == 0:
                yield text[start : position + 1]
                start = position + 1
    if start < len(text):
        yield text[start:]


def _open_group(group: str, weight: float) -> tuple[str, float, bool]:
    """Return the text of a group, its weight, and whether it was in brackets."""
    if not (len(group) >= 2 and group[0] == "(" and group[-1] == ")"):
        return group, weight, False
    inner = group[1:-1]
    text, colon, number = inner.rpartition(":")
    if colon and text:
        try:
            return text, float(number), True
        except ValueError:
            pass
    return inner, weight * BRACKET_WEIGHT, True


def _unescape(text: str) -> str:
    for escape, mark in _ESCAPES.items():
        text = text.replace(mark, escape[1:])
    return text
