"""The files of a tokenizer as they were published, also where one file holds them all.

transformers 5 writes tokenizer.json and tokenizer_config.json alone; before it wrote vocab.json and
merges.txt (CLIP), or vocab.txt (BERT), and special_tokens_map.json.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from latelier.checkpoints.importers.diffusers.folder import read_json_object
from latelier.kernel.errors import ModelFileError

_ALL = "tokenizer.json"
_SETTINGS = ("special_tokens_map.json", "tokenizer_config.json")
_SMALL = 64 * 2**20


def tokenizer_file(folder: Path, name: str) -> bytes:
    """Return "vocab.json", "merges.txt" or "vocab.txt".

    Raises:
        ModelFileError: it is missing, damaged or large.
    """
    if (folder / name).is_file() or not (folder / _ALL).is_file():
        return _small_file(folder / name)
    try:
        return _MADE[name](read_json_object(folder / _ALL)["model"]).encode()
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ModelFileError(f"{folder / _ALL}: holds nothing to make a {name} of") from None


def padding_token(folder: Path, silent: str) -> str:
    """Return the token that fills up, `silent` where no file says.

    Raises:
        ModelFileError: a file is damaged.
    """
    for name in _SETTINGS:
        said = read_json_object(folder / name) if (folder / name).is_file() else {}
        if said.get("pad_token") is not None:
            token = said["pad_token"]
            return str(token["content"] if isinstance(token, dict) else token)
    return silent


def _small_file(path: Path) -> bytes:
    try:
        if path.stat().st_size > _SMALL:
            raise ModelFileError(f"{path}: is too large for a vocabulary")
        return path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from None


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
