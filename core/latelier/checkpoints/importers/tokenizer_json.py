"""The files of a tokenizer, made of the one file that holds them all: tokenizer.json.

transformers 5 writes that file alone; before it wrote vocab.json and merges.txt (CLIP), or
vocab.txt (BERT). Pure functions.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from latelier.contracts.errors import ModelFileError

ALL = "tokenizer.json"

Beside = Callable[[str], bytes | None]
"""Returns a file by its name, or None where there is none."""


def made_of(values: Mapping[str, Any], name: str, what: str) -> bytes:
    """Return "vocab.json", "merges.txt" or "vocab.txt".

    Args:
        values: the content of tokenizer.json.
        name: of the file to make.
        what: the tokenizer.json, for errors.

    Raises:
        ModelFileError: it does not hold that.
    """
    try:
        return _MADE[name](values["model"]).encode()
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ModelFileError(f"{what}: holds nothing to make a {name} of") from None


def with_fallback(beside: Beside) -> Beside:
    """Return `beside`, with a file of a tokenizer that is missing made of its tokenizer.json."""

    def it(name: str) -> bytes | None:
        own = beside(name)
        data = beside(ALL) if own is None and name in _MADE else None
        return own if data is None else made_of(_object(data), name, ALL)

    return it


def _object(data: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(data))
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelFileError(f"{ALL}: cannot be read as JSON: {error}") from None


def _vocab_json(model: Mapping[str, Any]) -> str:
    return json.dumps(dict(model["vocab"]), ensure_ascii=False)


def _merges_txt(model: Mapping[str, Any]) -> str:
    pairs = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    return "\n".join(["#version: 0.2", *pairs, ""])


def _vocab_txt(model: Mapping[str, Any]) -> str:
    ids = dict(model["vocab"])
    if sorted(ids.values()) != list(range(len(ids))):
        raise ValueError("a line for each id needs an id for each line")
    return "\n".join([*sorted(ids, key=ids.__getitem__), ""])


_MADE: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "vocab.json": _vocab_json,
    "merges.txt": _merges_txt,
    "vocab.txt": _vocab_txt,
}
