"""A component of diffusers on disk: a config.json and its weights."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from latelier.checkpoints.importers.diffusers.weight_names import STEM, SUFFIXES, find_weights
from latelier.checkpoints.io.json_files import read_json_object
from latelier.checkpoints.io.weights import write_weights
from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.contracts.importing import ImportSource
from latelier.contracts.messages import suggestion
from latelier.io.atomic import write_json

CONFIG = "config.json"
SCHEDULER = "scheduler_config.json"
INDEX = "model_index.json"

_MAX_JSON_BYTES = 16 * 2**20


def read_config(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file of diffusers.

    Raises:
        ModelFileError: the file is missing, damaged or too large, or holds no object.
    """
    if path.is_file() and path.stat().st_size > _MAX_JSON_BYTES:
        raise ModelFileError(f"{path}: is too large for a configuration")
    return read_json_object(path)


def read_class_config(folder: Path, known: Collection[str]) -> dict[str, Any]:
    """Return the configuration of a component that is of one of the known classes.

    Raises:
        ModelFileError: the folder holds no configuration.
        InvalidConfigError: the component is of another class.
    """
    config = read_config(folder / CONFIG)
    name = str(config.get("_class_name", ""))
    if name not in known:
        raise InvalidConfigError(
            f"{folder}: the class '{name}' is not supported. {suggestion(name, known)}"
        )
    return config


@contextmanager
def name_file(path: Path) -> Iterator[None]:
    """Let errors about a configuration begin with the file that it is from."""
    try:
        yield
    except InvalidConfigError as error:
        raise InvalidConfigError(f"{path}: {error}", field=error.field) from None


def read_component_weights(source: ImportSource, folder: Path, *stems: str) -> dict[str, Tensor]:
    """Return the weights of a component: the preferred variant, in one file or in shards.

    Args:
        source: opens the files.
        folder: of the component.
        stems: names of the file without suffix, the preferred first; STEM if none.

    Raises:
        ModelFileError: there are no weights; or see `ImportSource.tensors_of`.
    """
    stems = stems or (STEM,)
    files = {path.name for path in folder.iterdir() if path.is_file()} if folder.is_dir() else ()
    name = find_weights(files, *stems)
    if name is None:
        expected = f"{' or '.join(stems)} ({', '.join(SUFFIXES)})"
        raise ModelFileError(f"{folder}: holds no weights called {expected}")
    path = folder / name
    return _read_shards(source, path) if path.suffix == ".json" else dict(source.tensors_of(path))


def write_component(
    folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor], stem: str = STEM
) -> None:
    """Write a component as diffusers loads it; config.json comes last."""
    write_weights(folder / f"{stem}.safetensors", tensors)
    write_json(folder / CONFIG, dict(config))


def _read_shards(source: ImportSource, index: Path) -> dict[str, Tensor]:
    files = read_config(index).get("weight_map")
    if not isinstance(files, dict) or not all(isinstance(name, str) for name in files.values()):
        raise ModelFileError(f"{index}: expected a 'weight_map' of tensors to files")
    tensors: dict[str, Tensor] = {}
    for name in sorted(set(files.values())):
        if Path(name).name != name:
            raise ModelFileError(f"{index}: names the file '{name}' outside the folder")
        tensors |= source.tensors_of(index.parent / name)
    return tensors
