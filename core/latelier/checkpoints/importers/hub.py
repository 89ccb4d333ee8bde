"""Where the source of an import is: a path, or owner/name[@revision] on the hub.

Of a repository on the hub the configurations are fetched first, so that a model that cannot be
imported is refused before its weights are fetched.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from latelier.checkpoints.importers.diffusers.folder import CONFIG, INDEX, read_config
from latelier.checkpoints.importers.diffusers.index import (
    TEXT_ENCODER,
    WITHOUT_WEIGHTS,
    folders_with_weights,
)
from latelier.checkpoints.importers.diffusers.weight_names import (
    STEM,
    SUFFIXES,
    TEXT_STEMS,
    find_weight_files,
)
from latelier.checkpoints.importers.source import WEIGHTS
from latelier.checkpoints.io.hub import HubName, fetch, find_fetched, list_files, parse_hub_name
from latelier.contracts.errors import ModelFileError, suggestion
from latelier.io.user_folders import expand_home

_SIBLINGS = (".yaml", ".yml", "vocab.txt", "vocab.json", "merges.txt", "tokenizer.json")
"""Ends of the names of files that are read from the folder of a checkpoint."""

_CONFIGURATIONS = (".json", ".txt", ".model")


@dataclass(frozen=True)
class Located:
    """A source on this machine.

    Attributes:
        path: of the file or folder.
        name: human-readable; that of a repository ends in its commit.
        configured: whether the configurations are there already, and the weights are not.
        repository: owner/name on the hub; None for a path.
        missing: files of the repository that `fetch_weights` fetches.
    """

    path: Path
    name: str
    configured: bool = False
    repository: str | None = None
    missing: Sequence[str] = ()

    def fetch_weights(self) -> None:
        """Fetch the weights of a repository; of a path there is nothing to fetch.

        Raises:
            ModelFileError: the hub cannot be reached.
        """
        if self.repository is not None and self.missing:
            fetch(self.repository, self.name.rpartition("@")[2], self.missing)


def locate(source: str) -> Located:
    """Return where a source is, with the configurations of a repository fetched.

    An existing path comes first. owner/name/FILE is one file of a repository, with the YAML and
    vocabulary files of that. Without network, or with HF_HUB_OFFLINE set, a repository that was
    fetched earlier is used.

    Raises:
        ModelFileError: there is no such path, and the hub has no such model or cannot be reached.
    """
    path = expand_home(source)
    if path.exists():
        return Located(path, path.name)
    name = parse_hub_name(source)
    if name is None:
        raise ModelFileError(f"{source}: file or folder not found")
    try:
        files = list_files(name)
    except ModelFileError:
        with suppress(ModelFileError):
            return _as_located(find_fetched(name), name)
        raise
    if name.file is not None and name.file not in files:
        weights = [path for path in files if path.endswith(WEIGHTS)]
        raise ModelFileError(
            f"'{name.repository}' has no file '{name.file}'. {suggestion(name.file, weights)}"
        )
    if name.file is None and {INDEX, CONFIG} & set(files):
        return _locate_folder(name, files)
    file = name.file or only_checkpoint(name.repository, files)
    siblings = _in_folders(files, ["", _parent(file)], _SIBLINGS)
    return _as_located(fetch(name.repository, name.revision, siblings), name, missing=[file])


def weights_of_folders(files: Sequence[str], folders: Sequence[str]) -> list[str]:
    """Return the weights of each folder in its preferred variant.

    Args:
        files: all paths of a repository.
        folders: whose weights are read; "" is the root.
    """
    return [path for folder in folders for path in _one_variant(files, folder)]


def only_checkpoint(repository: str, files: Sequence[str]) -> str:
    """Return the one checkpoint in a repository.

    Raises:
        ModelFileError: there are several, or none.
    """
    found = [path for path in files if path.endswith(WEIGHTS)]
    if len(found) != 1:
        some = ", ".join(f"{repository}/{path}" for path in found[:10]) or "none"
        raise ModelFileError(f"'{repository}' has {len(found)} checkpoints; name one: {some}")
    return found[0]


def _one_variant(files: Sequence[str], folder: str) -> list[str]:
    """Return the weights in a folder that belong to its preferred variant."""
    start = f"{folder}/" if folder else ""
    names = [path.removeprefix(start) for path in files if path.startswith(start)]
    stems = TEXT_STEMS if folder in TEXT_ENCODER else (STEM,) if folder else (STEM, *TEXT_STEMS)
    return [start + name for name in find_weight_files(names, *stems)]


def _locate_folder(name: HubName, files: Sequence[str]) -> Located:
    """Return a repository in the format of diffusers, with the configurations that are read.

    Raises:
        ModelFileError: a component has no weights, or the hub cannot be reached.
    """
    root = _in_folders(files, [""], _CONFIGURATIONS)
    folder = fetch(name.repository, name.revision, root)
    folders = [""]
    if INDEX in files:
        folders = folders_with_weights(read_config(folder / INDEX))
    for each in folders:
        if not weights_of_folders(files, [each]):
            where = f" in the folder '{each}'" if each else ""
            raise ModelFileError(
                f"'{name.repository}' has no weights{where}: expected {' or '.join(SUFFIXES)}"
            )
    if INDEX in files:
        configurations = _in_folders(files, [*folders, *WITHOUT_WEIGHTS], _CONFIGURATIONS)
        fetch(name.repository, folder.name, configurations)
    return _as_located(folder, name, True, weights_of_folders(files, folders))


def _in_folders(files: Sequence[str], folders: Sequence[str], ends: tuple[str, ...]) -> list[str]:
    """Return the files with these ends that are directly in one of the folders; "" is the root."""
    return [path for path in files if path.endswith(ends) and _parent(path) in folders]


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _as_located(
    folder: Path, name: HubName, configured: bool = False, missing: Sequence[str] = ()
) -> Located:
    path = folder / name.file if name.file else folder
    source = f"{name.repository}/{name.file}" if name.file else name.repository
    return Located(path, f"{source}@{folder.name}", configured, name.repository, missing)
