"""The files of a tokenizer in its folder, also where one file holds them all.

transformers 5 writes tokenizer.json and tokenizer_config.json alone; before, what the second says
of special tokens stood in special_tokens_map.json.
"""

from pathlib import Path

from latelier.checkpoints.importers.diffusers.folder import read_json_object
from latelier.checkpoints.importers.tokenizer_json import ALL, made_of
from latelier.contracts.errors import ModelFileError

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


def _small_file(path: Path) -> bytes:
    try:
        if path.stat().st_size > _SMALL:
            raise ModelFileError(f"{path}: is too large for a vocabulary")
        return path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from None
