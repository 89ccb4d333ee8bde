"""The files of a tokenizer in a pipeline of diffusers.

transformers 5 writes tokenizer.json and tokenizer_config.json alone. Earlier versions wrote the
special tokens to special_tokens_map.json.
"""

import json
from pathlib import Path
from typing import Any

from latelier.checkpoints.importers.diffusers.folder import read_config
from latelier.checkpoints.importers.diffusers.text_options import (
    SPECIAL_TOKENS,
    TOKENIZER_CONFIG,
    token_text,
)
from latelier.checkpoints.importers.tokenizer_json import TOKENIZER_JSON, rebuild_file
from latelier.contracts.errors import ModelFileError

ADDED_TOKENS = "added_tokens.json"

_SETTINGS = (SPECIAL_TOKENS, TOKENIZER_CONFIG)
_MAX_BYTES = 64 * 2**20


def tokenizer_file(folder: Path, name: str) -> bytes:
    """Return "vocab.json", "merges.txt" or "vocab.txt".

    Raises:
        ModelFileError: the file is missing, damaged or too large.
    """
    path, whole = folder / name, folder / TOKENIZER_JSON
    if not path.is_file() and whole.is_file():
        return rebuild_file(read_config(whole), name, str(whole))
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ModelFileError(f"{path}: is too large for a vocabulary")
        return path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from None


def padding_token(folder: Path, default: str) -> str:
    """Return the token that pads prompts, or `default` where no file names it.

    Raises:
        ModelFileError: a file is damaged.
    """
    for name in _SETTINGS:
        settings = read_config(folder / name) if (folder / name).is_file() else {}
        token = token_text(settings.get("pad_token"))
        if token is not None:
            return str(token)
    return default


def added_tokens(folder: Path) -> dict[str, int]:
    """Return the tokens, with their ids, that a CLIP tokenizer has in addition to vocab.json.

    Textual inversion adds them for the words that it learns. Their rows end the embedding table.

    Raises:
        ModelFileError: a file is damaged, or an id is not an integer.
    """
    vocabulary = read_vocabulary(folder)
    try:
        found = {token: int(number) for token, number in _list_added_tokens(folder)}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(f"{folder}: the added tokens cannot be read: {error}") from None
    for token, number in found.items():
        if vocabulary.get(token, number) != number:
            raise ModelFileError(
                f"{folder}: the token '{token}' is {vocabulary[token]} in vocab.json and {number} "
                "among the added tokens"
            )
    return {token: number for token, number in found.items() if token not in vocabulary}


def read_vocabulary(folder: Path) -> dict[str, int]:
    """Return the tokens of vocab.json with their ids.

    Raises:
        ModelFileError: the file is missing or damaged, or an id is not a whole number from 0.
    """
    path = folder / "vocab.json"
    try:
        vocabulary = dict(json.loads(tokenizer_file(folder, "vocab.json")))
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelFileError(f"{path}: cannot be read as JSON: {error}") from None
    for token, number in vocabulary.items():
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise ModelFileError(f"{path}: expected an id of '{token:.80}', got {number!r:.80}")
    return vocabulary


def _list_added_tokens(folder: Path) -> list[tuple[str, Any]]:
    if (folder / ADDED_TOKENS).is_file():
        return list(read_config(folder / ADDED_TOKENS).items())
    if (folder / TOKENIZER_JSON).is_file():
        listed = read_config(folder / TOKENIZER_JSON).get("added_tokens") or []
        return [(each["content"], each["id"]) for each in listed]
    settings = folder / TOKENIZER_CONFIG
    config = read_config(settings) if settings.is_file() else {}
    listed = config.get("added_tokens_decoder") or {}
    return [(each["content"], number) for number, each in listed.items()]
