"""One component of diffusers on disk: a config.json and its weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from latelier.checkpoints.io.json_files import read_object
from latelier.checkpoints.io.weights import write_weights
from latelier.contracts.errors import ModelFileError
from latelier.contracts.importing import ImportSource
from latelier.io.atomic import write_json

CONFIG = "config.json"
SCHEDULER = "scheduler_config.json"
INDEX = "model_index.json"
STEM = "diffusion_pytorch_model"

_JSON_LIMIT = 16 * 2**20
_SUFFIXES = (".safetensors", ".bin")
_VARIANTS = ("", ".fp16", ".bf16", ".non_ema")


def read_json_object(path: Path) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        ModelFileError: it is missing, damaged, absurdly large or no object.
    """
    if path.is_file() and path.stat().st_size > _JSON_LIMIT:
        raise ModelFileError(f"{path}: is too large for a configuration")
    return read_object(path)


def read_weights_of(source: ImportSource, folder: Path, stem: str = STEM) -> dict[str, Tensor]:
    """Return the weights of a component's folder: safetensors before a pickle, whole or in shards.

    Raises:
        ModelFileError: there are none, or see `ImportSource.tensors_of`.
    """
    for suffix in _SUFFIXES:
        for variant in _VARIANTS:
            path = folder / f"{stem}{variant}{suffix}"
            if path.is_file():
                return dict(source.tensors_of(path))
        index = folder / f"{stem}{suffix}.index.json"
        if index.is_file():
            return _shards(source, index)
    raise ModelFileError(f"{folder}: holds no weights called {stem}{' or '.join(_SUFFIXES)}")


def write_component(
    folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor], stem: str = STEM
) -> None:
    """Write a component as diffusers loads it; config.json comes last."""
    write_weights(folder / f"{stem}.safetensors", tensors)
    write_json(folder / CONFIG, dict(config))


def _shards(source: ImportSource, index: Path) -> dict[str, Tensor]:
    places = read_json_object(index).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
        raise ModelFileError(f"{index}: says of no tensor where it is")
    found: dict[str, Tensor] = {}
    for name in sorted(set(places.values())):
        if Path(name).name != name:
            raise ModelFileError(f"{index}: names the file '{name}' outside the folder")
        found |= source.tensors_of(index.parent / name)
    return found
