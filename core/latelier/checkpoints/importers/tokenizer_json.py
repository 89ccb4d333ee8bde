"""The files of a tokenizer, rebuilt from tokenizer.json, which holds them all.

transformers 5 writes that file alone. Earlier versions wrote vocab.json and merges.txt (CLIP), or
vocab.txt (BERT). Pure functions.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from latelier.contracts.errors import ModelFileError

TOKENIZER_JSON = "tokenizer.json"

ReadFile = Callable[[str], bytes | None]
"""Returns the content of a file by its name, or None where it is missing."""


def rebuild_file(values: Mapping[str, Any], name: str, what: str) -> bytes:
    """Return "vocab.json", "merges.txt" or "vocab.txt".

    Args:
        values: the content of tokenizer.json.
        name: of the file to rebuild.
        what: the path of the tokenizer.json, for errors.

    Raises:
        ModelFileError: the tokenizer is of another kind, or damaged.
    """
    try:
        return _REBUILD[name](values["model"]).encode()
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ModelFileError(f"{what}: {name} cannot be rebuilt from it") from None


def with_fallback(read_file: ReadFile) -> ReadFile:
    """Return a `ReadFile` that rebuilds missing files of a tokenizer from its tokenizer.json."""

    def read_or_rebuild(name: str) -> bytes | None:
        data = read_file(name)
        if data is not None or name not in _REBUILD:
            return data
        tokenizer = read_file(TOKENIZER_JSON)
        if tokenizer is None:
            return None
        return rebuild_file(_parse(tokenizer), name, TOKENIZER_JSON)

    return read_or_rebuild


def _parse(data: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(data))
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelFileError(f"{TOKENIZER_JSON}: cannot be read as JSON: {error}") from None


def _vocab_json(model: Mapping[str, Any]) -> str:
    return json.dumps(dict(model["vocab"]), ensure_ascii=False)


def _merges_txt(model: Mapping[str, Any]) -> str:
    pairs = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    return "\n".join(["#version: 0.2", *pairs, ""])


def _vocab_txt(model: Mapping[str, Any]) -> str:
    ids = dict(model["vocab"])
    if sorted(ids.values()) != list(range(len(ids))):
        raise ValueError("the ids are not 0, 1, 2 ...")
    return "\n".join([*sorted(ids, key=ids.__getitem__), ""])


_REBUILD: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "vocab.json": _vocab_json,
    "merges.txt": _merges_txt,
    "vocab.txt": _vocab_txt,
}
