"""Reading published add-ons: a file, or a folder of diffusers."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latelier.checkpoints.adapter_files import name_of
from latelier.checkpoints.importers.diffusers.folder import CONFIG, read_component_weights
from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.contracts.importing import ImportSource

if TYPE_CHECKING:
    from torch import Tensor

_MAX_LISTED = 3


def is_of_class(source: ImportSource, classes: Collection[str]) -> bool:
    """Return whether the source is a folder of diffusers with one of the classes."""
    return source.path.is_dir() and bool(read_published_config(source, classes))


def read_published_config(source: ImportSource, classes: Collection[str]) -> Mapping[str, Any]:
    """Return the config.json of one of the classes that lies beside the weights, or {}."""
    content = source.sibling(CONFIG)
    if content is None:
        return {}
    try:
        config = json.loads(content)
    except ValueError:
        return {}
    is_known = isinstance(config, dict) and config.get("_class_name") in classes
    return config if is_known else {}


def read_tensors(source: ImportSource) -> "Mapping[str, Tensor]":
    """Return the tensors of a file, or of a folder of diffusers.

    Raises:
        ModelFileError: there are none; or some hold NaN or infinity.
    """
    tensors = source.tensors() or read_component_weights(source, source.path)
    bad = [f"'{name}'" for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if bad:
        more = " ..." if len(bad) > _MAX_LISTED else ""
        raise ModelFileError(
            f"{source.path}: NaN or infinity in {', '.join(bad[:_MAX_LISTED])}{more}"
        )
    return tensors


def read_name(source: ImportSource) -> str:
    """Return the name of the input: the option `name`, or that of the source.

    Raises:
        InvalidConfigError: the option is no name.
    """
    name = source.options.get("name", name_of(_find_name(source.path)))
    if not isinstance(name, str) or not name.isidentifier():
        raise InvalidConfigError(f"name: expected letters, digits and underscores, got {name!r}")
    return name


def _find_name(path: Path) -> Path:
    """Return the file without its suffix, the folder, or the repository of a hub's snapshot."""
    if path.parent.name == "snapshots":  # models--OWNER--NAME/snapshots/REVISION
        return Path(path.parent.parent.name.rpartition("--")[2])
    return path if path.is_dir() else path.with_suffix("")
