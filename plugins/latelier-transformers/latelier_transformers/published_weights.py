"""Finds and renames the weights of published models."""

from collections.abc import Mapping
from pathlib import Path

from latelier.contracts.errors import ModelFileError
from torch import Tensor

_FILES = ("model.safetensors", "pytorch_model.bin")


def find_weights(folder: Path) -> Path:
    """Return the file of weights in a folder in the format of transformers.

    Raises:
        ModelFileError: the folder has none.
    """
    for name in _FILES:
        if (folder / name).is_file():
            return folder / name
    raise ModelFileError(f"{folder}: expected {' or '.join(_FILES)} in it")


def name_folder(folder: Path, given: str) -> str:
    """Return what to call a folder that was found for a path or a hub id.

    That of a fetched one is named by its commit, so the hub id says more.
    """
    return folder.name if folder.name == Path(given).name else given


def t5_text_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state of `T5TextConditioner` for a state of transformers' `T5EncoderModel`.

    Files hold the token table under one of two names, or under both; here it has one. The decoder
    of a whole T5 is left out.
    """
    return {
        "encoder.embed_tokens.weight" if name == "shared.weight" else name: tensor
        for name, tensor in state.items()
        if not name.startswith(("decoder.", "lm_head."))
    }
