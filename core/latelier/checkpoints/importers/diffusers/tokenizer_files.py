"""The files of a tokenizer in a pipeline of diffusers.

transformers 5 writes tokenizer.json and tokenizer_config.json alone. Earlier versions wrote the
special tokens to special_tokens_map.json.
"""

import json
from pathlib import Path
from typing import Any

from latelier.checkpoints.importers.diffusers.folder import read_config
from latelier.checkpoints.importers.tokenizer_json import TOKENIZER_JSON, rebuild_file
from latelier.contracts.errors import ModelFileError

ADDED_TOKENS = "added_tokens.json"

_SETTINGS = ("special_tokens_map.json", "tokenizer_config.json")
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
        token = settings.get("pad_token")
        if token is not None:
            return str(token["content"] if isinstance(token, dict) else token)
    return default


def added_tokens(folder: Path) -> dict[str, int]:
    """Return the tokens, with their ids, that a CLIP tokenizer has in addition to vocab.json.

    Textual inversion adds them for the words that it learns. Their rows end the embedding table.

    Raises:
        ModelFileError: a file is damaged, or an id is not an integer.
    """
    vocabulary = json.loads(tokenizer_file(folder, "vocab.json"))
    try:
        found = _list_added_tokens(folder)
        return {token: int(number) for token, number in found if token not in vocabulary}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(f"{folder}: the added tokens cannot be read: {error}") from None


def _list_added_tokens(folder: Path) -> list[tuple[str, Any]]:
    if (folder / ADDED_TOKENS).is_file():
        return list(read_config(folder / ADDED_TOKENS).items())
    if (folder / TOKENIZER_JSON).is_file():
        listed = read_config(folder / TOKENIZER_JSON).get("added_tokens") or []
        return [(each["content"], each["id"]) for each in listed]
    settings = folder / "tokenizer_config.json"
    config = read_config(settings) if settings.is_file() else {}
    listed = config.get("added_tokens_decoder") or {}
    return [(each["content"], number) for number, each in listed.items()]
