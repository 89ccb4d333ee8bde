"""The models that can be loaded without a network."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from latelier.contracts.errors import ModelFileError
from latelier.pipeline.storage.manifest_header import MANIFEST, read_manifest_header
from latelier.pipeline.storage.sources import list_embedded

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelInfo:
    """A model that is on this machine.

    Attributes:
        name: `load` finds the model by it.
        folder: with its files.
        description: one human-readable line.
        size: (width, height) in pixels of the pictures that it makes by default.
        inputs: its public inputs.
    """

    name: str
    folder: Path
    description: str
    size: tuple[int, int]
    inputs: tuple[str, ...]


def list_models(*folders: str | Path) -> list[ModelInfo]:
    """Return the models that can be loaded without a network.

    These are the embedded models, those of the hub that are in its cache with all their files, and
    those in `folders`. No weight is read. A damaged model is left out, with a warning in the log.

    Args:
        folders: folders of models, or of folders of models.
    """
    found = [*list_embedded().items(), *_cached_models()]
    for each in map(Path, folders):
        found += [(str(path.resolve()), path) for path in (each, *sorted(each.glob("*")))]
    return [info for name, folder in found if (info := _read(name, folder)) is not None]


def _cached_models() -> Iterator[tuple[str, Path]]:
    """Yield the name and folder of each repository of the hub that is in its cache."""
    from huggingface_hub import constants

    for repository in sorted(Path(constants.HF_HUB_CACHE).glob("models--*--*")):
        name = "/".join(repository.name.split("--")[1:])
        main = repository / "refs" / "main"
        newest = main.read_text().strip() if main.is_file() else ""
        for snapshot in sorted(repository.glob("snapshots/*")):
            yield name if snapshot.name == newest else f"{name}@{snapshot.name}", snapshot


def _read(name: str, folder: Path) -> ModelInfo | None:
    """Return the model in a folder; None if there is none, or not all of it."""
    if not (folder / MANIFEST).is_file():
        return None
    try:
        header = read_manifest_header(folder)
        files = [file for stored in header.components().values() for file in stored.files()]
        if not all(file.within(folder).is_file() for file in files):
            return None
    except ModelFileError as error:
        _log.warning("%s", error)
        return None
    size, inputs = header.defaults.size, tuple(header.inputs)
    return ModelInfo(name, folder, header.description, size, inputs)
