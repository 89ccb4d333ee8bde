"""The files of a tokenizer in its folder, also where one file holds them all.

transformers 5 writes tokenizer.json and tokenizer_config.json alone; before, what the second says
of special tokens stood in special_tokens_map.json.
"""

import json
from pathlib import Path
from typing import Any

from latelier.checkpoints.importers.diffusers.folder import read_json_object
from latelier.checkpoints.importers.tokenizer_json import ALL, made_of
from latelier.contracts.errors import ModelFileError

ADDED_TOKENS = "added_tokens.json"

_SETTINGS = ("special_tokens_map.json", "tokenizer_config.json")
_SMALL = 64 * 2**20


def tokenizer_file(folder: Path, name: str) -> bytes:
    """Return "vocab.json", "merges.txt" or "vocab.txt".

    Raises:
        ModelFileError: it is missing, damaged or large.
    """
    if (folder / name).is_file() or not (folder / ALL).is_file():
        return _small_file(folder / name)
    return made_of(read_json_object(folder / ALL), name, str(folder / ALL))


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


def added_tokens(folder: Path) -> dict[str, int]:
    """Return the tokens, with their ids, that a CLIP tokenizer has in addition to vocab.json.

    Textual inversion adds them for the words that it learns. Their rows end the embedding table.

    Raises:
        ModelFileError: a file is damaged, or an id is no whole number.
    """
    vocabulary = json.loads(tokenizer_file(folder, "vocab.json"))
    try:
        found = _added_tokens(folder)
        return {token: int(number) for token, number in found if token not in vocabulary}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(f"{folder}: the added tokens cannot be read: {error}") from None


def _added_tokens(folder: Path) -> list[tuple[str, Any]]:
    if (folder / ADDED_TOKENS).is_file():
        return list(read_json_object(folder / ADDED_TOKENS).items())
    if (folder / ALL).is_file():
        listed = read_json_object(folder / ALL).get("added_tokens") or []
        return [(each["content"], each["id"]) for each in listed]
    settings = folder / "tokenizer_config.json"
    config = read_json_object(settings) if settings.is_file() else {}
    listed = config.get("added_tokens_decoder") or {}
    return [(each["content"], number) for number, each in listed.items()]


def _small_file(path: Path) -> bytes:
    try:
        if path.stat().st_size > _SMALL:
            raise ModelFileError(f"{path}: is too large for a vocabulary")
        return path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from None
